// What an authenticator app needs to begin: a key to type, a link to open, a picture to scan.
import { generateURI } from 'otplib'
import { create } from 'qrcode'

export type Setup = {
  /** The key in groups of four. */
  key: string
  /** `otpauth://totp/...` (https://github.com/google/google-authenticator/wiki/Key-Uri-Format) */
  link: string
  qr: QrCode
}

/** `path`: the dark squares, as an SVG path on a grid of `size` × `size`, light border included. */
export type QrCode = { size: number; path: string }

/** Light squares that scanners want around the code (ISO/IEC 18004, section 5.3.8). */
const BORDER = 4

/** @param secret base32 */
export function createSetup(secret: string, { service, email }: { service: string; email: string }): Setup {
  // A colon ends the issuer, also an encoded one.
  const issuer = service.replaceAll(':', ' ')
  const link = generateURI({ issuer, label: email, secret })
  return { key: secret.match(/.{1,4}/g)?.join(' ') ?? '', link, qr: drawQrCode(link) }
}

function drawQrCode(text: string): QrCode {
  const { modules } = create(text, { errorCorrectionLevel: 'M' })
  const rows = Array.from({ length: modules.size }, (_, row) =>
    Array.from({ length: modules.size }, (_, column) => (modules.get(row, column) ? '1' : '0')).join(''),
  )
  const path = rows.flatMap((row, y) =>
    [...row.matchAll(/1+/g)].map(({ 0: run, index }) => {
      const { length } = run
      return `M${index + BORDER} ${y + BORDER}h${length}v1h-${length}z`
    }),
  )
  return { size: modules.size + 2 * BORDER, path: path.join('') }
}

import { randomBytes } from 'node:crypto'

/** Every id wears the prefix of what it names, over a UUIDv7 (RFC 9562, section 5.7), so that ids sort by age. */
export type IdPrefix = 'usr' | 'crd' | 'chl' | 'evt' | 'key' | 'ltr'

/** `usr_0197f3b2c4d87a1e9c3f5b2a7d8e4f60` */
export function createId(prefix: IdPrefix, now: Date): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(now.getTime(), 0, 6)
  bytes.writeUInt16BE(0x7000 | nextInMillisecond(now.getTime()), 6)
  bytes[8] = (bytes.readUInt8(8) & 0x3f) | 0x80
  return `${prefix}_${bytes.toString('hex')}`
}

const SEQUENCE_BITS = 12
const latest = { millisecond: 0, sequence: 0 }

/** Counts within a millisecond (RFC 9562, section 6.2, method 1): what one process names in turn sorts in turn. */
function nextInMillisecond(millisecond: number): number {
  latest.sequence = millisecond === latest.millisecond ? latest.sequence + 1 : 0
  latest.millisecond = millisecond
  return latest.sequence % 2 ** SEQUENCE_BITS
}

/** A bearer secret or nonce: 256 random bits, base64url, 43 characters. */
export const randomToken = (): string => randomBytes(32).toString('base64url')

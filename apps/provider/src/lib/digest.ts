import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** What is kept of a bearer secret: SHA-256, base64url. Enough for secrets of 128 random bits or more. */
export const digest = (secret: string): string => createHash('sha256').update(secret).digest('base64url')

/** HMAC-SHA256 of the parts, none of which can run into the next; base64url. */
export function mac(key: Buffer, ...parts: string[]): string {
  const hmac = createHmac('sha256', key)
  for (const part of parts) hmac.update(`${Buffer.byteLength(part)}:${part}`)
  return hmac.digest('base64url')
}

/** Compares two secrets in time that depends on neither's content. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
}

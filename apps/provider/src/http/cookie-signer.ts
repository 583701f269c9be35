import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'

/** What Koa asks of `app.keys`: the package `keygrip` does the same with SHA-1, and twice the work to compare. */
export type CookieSigner = {
  sign(data: string): string
  /** Which of the keys made this signature; -1 if none did. A cookie signed by an older one is signed anew. */
  index(data: string, signature: string): number
  verify(data: string, signature: string): boolean
}

/**
 * Signs cookies with HMAC-SHA-256.
 * @param secrets newest first: the first signs, all verify
 */
export function createCookieSigner(secrets: string[]): CookieSigner {
  const keys = secrets.map((secret) => createSecretKey(secret, 'utf8'))
  const signWith = (key: (typeof keys)[number], data: string) =>
    createHmac('sha256', key).update(data).digest('base64url')
  const index = (data: string, signature: string) => {
    const given = Buffer.from(signature)
    return keys.findIndex((key) => {
      const made = Buffer.from(signWith(key, data))
      return made.length === given.length && timingSafeEqual(made, given)
    })
  }
  return {
    sign: (data) => signWith(keys[0]!, data),
    index,
    verify: (data, signature) => index(data, signature) >= 0,
  }
}

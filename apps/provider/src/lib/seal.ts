import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_ID_BYTES = 4

/**
 * Seals secrets for storage with AES-256-GCM (NIST SP 800-38D), each bound to the row that holds it:
 * a sealed value moved to another row does not open.
 * Layout: key id (4 bytes) · nonce (12) · tag (16) · ciphertext.
 */
export type Sealer = {
  seal(plain: Buffer | string, row: string): Buffer
  /** Throws when the value was changed, belongs to another row, or was sealed under a key we do not hold. */
  open(sealed: Uint8Array, row: string): Buffer
  /** Was it sealed under the newest key? */
  isCurrent(sealed: Uint8Array): boolean
  /** A key for another purpose, derived from the newest secret (HKDF-SHA256, RFC 5869). */
  derive(purpose: string): KeyObject
  /** One for each secret, newest first: for what an instance that has not the newest yet may have made. */
  deriveAll(purpose: string): KeyObject[]
}

/** @param secrets 32-byte keys, newest first: the first seals, all open. */
export function createSealer(secrets: Buffer[]): Sealer {
  const keys = new Map(secrets.map((secret) => [keyId(secret).toString('hex'), hkdf(secret, 'seal')]))
  const [newest] = secrets
  if (!newest) throw new Error('a sealer needs at least one key')
  return {
    seal(plain, row) {
      const id = keyId(newest)
      return Buffer.concat([id, sealWith(keys.get(id.toString('hex'))!, plain, row)])
    },
    open(sealed, row) {
      const bytes = Buffer.from(sealed)
      const key = keys.get(bytes.subarray(0, KEY_ID_BYTES).toString('hex'))
      if (!key) throw new Error('sealed under a key that SECRET_KEY no longer holds')
      return openWith(key, bytes.subarray(KEY_ID_BYTES), row)
    },
    isCurrent: (sealed) => keyId(newest).equals(Buffer.from(sealed).subarray(0, KEY_ID_BYTES)),
    derive: (purpose) => createSecretKey(hkdf(newest, purpose)),
    deriveAll: (purpose) => secrets.map((secret) => createSecretKey(hkdf(secret, purpose))),
  }
}

/** Seals under a key of the caller's own. Layout: nonce (12) · tag (16) · ciphertext. */
export function sealWith(key: Buffer, plain: Buffer | string, row: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(row))
  const body = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), body])
}

/** Throws when the value does not belong to the key and the row. */
export function openWith(key: Buffer, sealed: Uint8Array, row: string): Buffer {
  const bytes = Buffer.from(sealed)
  const nonce = bytes.subarray(0, NONCE_BYTES)
  const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(row)).setAuthTag(tag)
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
}

/** HKDF-SHA256 to 32 bytes, one key a purpose. */
export const hkdf = (secret: Buffer | string, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', `anteroom:${purpose}`, 32))

const keyId = (secret: Buffer) => createHash('sha256').update(secret).digest().subarray(0, KEY_ID_BYTES)

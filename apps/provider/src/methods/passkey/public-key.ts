// Which keys may be a passkey's: COSE_Key (RFC 9053), as WebAuthn L3, section 5.8.5 narrows it.
import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto'
import { decodeCredentialPublicKey } from '@simplewebauthn/server/helpers'

/** EdDSA, ES256, RS256 (IANA COSE Algorithms), the one we like best first. */
export const ALGORITHMS = [-8, -7, -257] as const

const [KTY, ALG] = [1, 3]
const RSA_BITS = { least: 2048, most: 4096 }

type CoseKey = Map<number, unknown>

/**
 * A key that can be used with its algorithm: an ES256 key on another curve, or a point on none, is refused here and
 * not by the first signature.
 * @throws Error for every other key
 */
export function readPublicKey(publicKey: Uint8Array<ArrayBuffer>): { alg: number; key: KeyObject } {
  const cose = decodeCredentialPublicKey(publicKey) as unknown as CoseKey
  const alg = cose.get(ALG)
  const key = createPublicKey({ format: 'jwk', key: jwkOf(cose, alg) })
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && (bits < RSA_BITS.least || bits > RSA_BITS.most))
    throw new Error(`an RSA key of ${bits} bits`)
  return { alg: alg as number, key }
}

/** OpenSSL takes an ECDSA signature in one spelling alone; the library reads past a head that says anything. */
export function isSigned(publicKey: Uint8Array<ArrayBuffer>, data: Buffer, signature: Buffer): boolean {
  const { alg, key } = readPublicKey(publicKey)
  return verify(alg === -8 ? null : 'sha256', data, key, signature)
}

function jwkOf(key: CoseKey, alg: unknown): JsonWebKey {
  const kty = key.get(KTY)
  const part = (label: number, length?: number) => {
    const bytes = key.get(label)
    if (!(bytes instanceof Uint8Array) || (length && bytes.length !== length))
      throw new Error(`a key without a proper part ${label}`)
    return Buffer.from(bytes).toString('base64url')
  }
  if (alg === -8 && kty === 1 && key.get(-1) === 6) return { kty: 'OKP', crv: 'Ed25519', x: part(-2, 32) }
  if (alg === -7 && kty === 2 && key.get(-1) === 1)
    return { kty: 'EC', crv: 'P-256', x: part(-2, 32), y: part(-3, 32) }
  if (alg === -257 && kty === 3) return { kty: 'RSA', n: part(-1), e: part(-2, 3) }
  throw new Error(`algorithm ${String(alg)} with key type ${String(kty)}`)
}

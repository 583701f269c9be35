import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { ExternalSigningKey } from 'oidc-provider'
import type { SigningJwk } from '../keys/store.ts'

/**
 * Signs at once, in this thread. The engine's own way (WebCrypto) borrows one of libuv's four threads, which password
 * hashing fills for a tenth of a second at a time; a signature takes a thirtieth of a millisecond with ES256.
 */
export class SigningKey extends ExternalSigningKey {
  readonly #jwk: SigningJwk
  readonly #private: KeyObject
  readonly #public: KeyObject

  constructor(jwk: SigningJwk) {
    super()
    this.#jwk = jwk
    const key = createPrivateKey({ key: jwk, format: 'jwk' })
    this.#public = createPublicKey(key)
    // JWS asks for r and s side by side (RFC 7518, section 3.4). Said on the key, not in an object around it: Node
    // takes twice as long to find the key in there as to sign with it.
    this.#private = Object.assign(key, { dsaEncoding: 'ieee-p1363' })
  }

  override get kid(): string {
    return this.#jwk.kid
  }

  override get alg(): string {
    return this.#jwk.alg
  }

  override keyObject(): KeyObject {
    return this.#public
  }

  /** RS256 or ES256. */
  override sign(data: Buffer): Buffer {
    return sign('sha256', data, this.#private)
  }
}

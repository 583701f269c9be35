import { randomUUID } from 'node:crypto'
import { exportJWK, type GenerateKeyPairResult, SignJWT } from 'jose'

/** A proof of possession for one POST (RFC 9449, section 4.2). */
export async function prove({ privateKey, publicKey }: GenerateKeyPairResult, url: string): Promise<string> {
  return new SignJWT({ htm: 'POST', htu: url, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(publicKey) })
    .setIssuedAt()
    .sign(privateKey)
}

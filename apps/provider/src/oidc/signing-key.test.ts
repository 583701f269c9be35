import { generateKeyPairSync } from 'node:crypto'
import { compactVerify, importJWK } from 'jose'
import { expect, test } from 'vitest'
import { SigningKey } from './signing-key.ts'

const PAIRS = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
}

test.each(['ES256', 'RS256'] as const)('%s signatures are what JWS libraries verify', async (alg) => {
  const { privateKey, publicKey } = PAIRS[alg]
  const key = new SigningKey({ ...privateKey.export({ format: 'jwk' }), kid: 'k', alg, use: 'sig' })
  const signed = [Buffer.from(JSON.stringify({ alg, kid: 'k' })), Buffer.from('hello')]
    .map((part) => part.toString('base64url'))
    .join('.')
  const jws = `${signed}.${key.sign(Buffer.from(signed)).toString('base64url')}`
  const verified = await compactVerify(jws, await importJWK(publicKey.export({ format: 'jwk' }), alg))
  expect(Buffer.from(verified.payload).toString()).toBe('hello')
  expect(key.keyObject().type).toBe('public')
  expect([key.kid, key.alg]).toEqual(['k', alg])
})

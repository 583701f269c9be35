import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { deflateRawSync } from 'node:zlib'
import { type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClientConfig } from '../src/config.ts'
import { isSignedIn, OPAQUE, signUpAndIn, type Tokens } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid: 'of-the-client', alg: 'ES256', use: 'sig' }

const machine = {
  client_id: 'machine:1',
  client_secret: 'a secret % with + signs',
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  first_party: false,
} as ClientConfig
const signer = {
  client_id: 'signer',
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
  jwks: { keys: [publicJwk] },
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  first_party: false,
} as ClientConfig

let server: TestServer
beforeAll(async () => {
  server = await startServer({ clients: [machine, signer] })
})
afterAll(() => server.close())

type Send = { authorization?: string; query?: string; body?: Record<string, string> | string }
async function ask({ authorization, query = '', body = {} }: Send) {
  const form =
    typeof body === 'string'
      ? body
      : new URLSearchParams({ grant_type: 'client_credentials', ...body }).toString()
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    ...(authorization && { authorization }),
  }
  const response = await fetch(`${server.issuer}/token${query}`, { method: 'POST', headers, body: form })
  const answer = (await response.json()) as { error?: string; access_token?: string }
  return { status: response.status, headers: response.headers, ...answer }
}

const encode = (text: string) => encodeURIComponent(text).replaceAll('%20', '+')
const basic = (id: string, secret: string) => `Basic ${btoa(`${encode(id)}:${encode(secret)}`)}`
const good = basic(machine.client_id, machine.client_secret!)

describe('T107: an app that proves itself by its secret', () => {
  test('may do so in the header, form-encoded as RFC 6749 says, or in the body', async () => {
    expect((await ask({ authorization: good })).status).toBe(200)
    expect(
      (await ask({ body: { client_id: machine.client_id, client_secret: machine.client_secret! } })).status,
    ).toBe(200)
  })

  test('is refused with 401 and told how, when it is wrong', async () => {
    const refused = await ask({ authorization: basic(machine.client_id, 'wrong') })
    expect([refused.status, refused.error]).toEqual([401, 'invalid_client'])
    expect(refused.headers.get('www-authenticate')).toMatch(/^Basic /)
  })

  test.each<[string, Send]>([
    [
      'in the query',
      {
        query: `?${new URLSearchParams({ client_id: machine.client_id, client_secret: machine.client_secret! })}`,
      },
    ],
    [
      'everything in the query',
      {
        query: `?${new URLSearchParams({ grant_type: 'client_credentials', client_id: machine.client_id, client_secret: machine.client_secret! })}`,
        body: '',
      },
    ],
    [
      'twice, in the header and in the body',
      { authorization: good, body: { client_secret: machine.client_secret! } },
    ],
    [
      'under another name in the body than in the header',
      { authorization: good, body: { client_id: 'own-web' } },
    ],
    [
      'with its id twice',
      {
        body: `grant_type=client_credentials&client_id=machine%3A1&client_id=machine%3A1&client_secret=${encode(machine.client_secret!)}`,
      },
    ],
    [
      'with the secret twice',
      {
        body: `grant_type=client_credentials&client_id=machine%3A1&client_secret=x&client_secret=${encode(machine.client_secret!)}`,
      },
    ],
    ['not at all', { body: { client_id: machine.client_id } }],
    ['empty', { body: { client_id: machine.client_id, client_secret: '' } }],
    ['unencoded', { authorization: `Basic ${btoa(`${machine.client_id}:${machine.client_secret}`)}` }],
    ['in broken base64', { authorization: `Basic ${btoa('machine%3A1:x')}!` }],
    ['without a colon', { authorization: `Basic ${btoa('machine%3A1')}` }],
    ['with broken percent signs', { authorization: `Basic ${btoa('machine%3A1:%zz')}` }],
    ['with a NUL', { authorization: `Basic ${btoa(`machine%3A1:${encode(machine.client_secret!)}%00`)}` }],
    ['by another scheme', { authorization: `Bearer ${good.slice(6)}` }],
    ['as an app that is not there', { authorization: basic('nobody', machine.client_secret!) }],
    ['as __proto__', { authorization: basic('__proto__', 'x') }],
    ['cut short', { authorization: basic(machine.client_id, machine.client_secret!.slice(0, -1)) }],
    ['in another case', { authorization: basic(machine.client_id, machine.client_secret!.toUpperCase()) }],
  ])('%s gets no token', async (_, send) => {
    const { status, access_token } = await ask(send)
    expect([400, 401]).toContain(status)
    expect(access_token).toBeUndefined()
  })
})

const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const present = (assertion: string, more: Record<string, string> = {}) =>
  ask({ body: { client_assertion_type: TYPE, client_assertion: assertion, ...more } })

const now = () => Math.floor(Date.now() / 1000)
const claims = (): JWTPayload => ({
  iss: 'signer',
  sub: 'signer',
  aud: server.issuer,
  jti: randomUUID(),
  iat: now(),
  exp: now() + 60,
})
const assertion = (change: JWTPayload = {}, header: Record<string, unknown> = {}, key = privateKey) =>
  new SignJWT({ ...claims(), ...change })
    .setProtectedHeader({ alg: 'ES256', kid: 'of-the-client', ...header })
    .sign(key)

const segment = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
const unsigned = (header: unknown, payload: unknown = claims()) => `${segment(header)}.${segment(payload)}.`

describe('T107: an app that proves itself by a signature', () => {
  test('gets its token', async () => expect((await present(await assertion())).status).toBe(200))

  test('may use an assertion once', async () => {
    const once = await assertion()
    expect((await present(once)).status).toBe(200)
    expect((await present(once)).error).toBe('invalid_client')
  })

  test.each<[string, JWTPayload]>([
    ['for another audience', { aud: 'https://other.example' }],
    ['for no audience', { aud: undefined as unknown as string }],
    ['by another issuer', { iss: 'own-web' }],
    ['for another app', { sub: 'own-web' }],
    ['without an end', { exp: undefined as unknown as number }],
    ['that is over', { exp: now() - 60 }],
    ['that is not valid yet', { nbf: now() + 600 }],
    ['without an id', { jti: undefined as unknown as string }],
  ])('%s is refused', async (_, change) => {
    const { status, access_token } = await present(await assertion(change))
    expect([400, 401]).toContain(status)
    expect(access_token).toBeUndefined()
  })

  test('cannot fall back to a secret or to nothing', async () => {
    for (const secret of ['', '&client_secret=', '&client_secret=x']) {
      expect((await ask({ body: `grant_type=client_credentials&client_id=signer${secret}` })).status).toBe(
        401,
      )
    }
    expect(
      (
        await ask({
          authorization: good,
          body: { client_assertion_type: TYPE, client_assertion: await assertion() },
        })
      ).status,
    ).toBe(400)
  })
})

/** Ways to make a verifier believe a token nobody signed. `sign` signs with a key the attacker has. */
const abuse = (
  sign: (header: Record<string, unknown>, payload?: JWTPayload) => Promise<string>,
  payload: () => JWTPayload,
  knownKey: object,
) => {
  const hmac = (header: object, secret: string) => {
    const body = `${segment(header)}.${segment(payload())}`
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
  }
  return [
    ['no signature', () => unsigned({ alg: 'none' }, payload())],
    ['none in another case', () => unsigned({ alg: 'nOnE' }, payload())],
    ['no algorithm', () => unsigned({}, payload())],
    ['the public key as an HMAC secret', () => hmac({ alg: 'HS256' }, JSON.stringify(knownKey))],
    ['an empty HMAC secret', () => hmac({ alg: 'HS256' }, '')],
    ['a foreign key', () => sign({})],
    ['a foreign key in the header', () => sign({ jwk: stranger.publicKey.export({ format: 'jwk' }) })],
    ['a path as key id', () => sign({ kid: '../../../../dev/null' })],
    ['SQL as key id', () => sign({ kid: "' union select 'secret' --" })],
    ['a NUL in the key id', () => sign({ kid: 'a\0b' })],
    [
      'a compressed body',
      () =>
        `${segment({ alg: 'ES256', zip: 'DEF' })}.${deflateRawSync(JSON.stringify(payload())).toString('base64url')}.${segment('x')}`,
    ],
    [
      'an encrypted one',
      () =>
        `${segment({ alg: 'dir', enc: 'A128GCM', zip: 'DEF' })}..${segment('x')}.${segment('x')}.${segment('x')}`,
    ],
    [
      'an unknown critical header',
      async () =>
        (await sign({})).replace(/^[^.]+/, segment({ alg: 'ES256', crit: ['surprise'], surprise: true })),
    ],
    ['one inside another', async () => `${segment({ alg: 'none', cty: 'JWT' })}.${segment(await sign({}))}.`],
    ['an empty signature', async () => `${(await sign({})).split('.').slice(0, 2).join('.')}.`],
    ['a header that is no object', () => `${segment('[]')}.${segment(payload())}.x`],
    ['a header of fifty kilobytes', () => unsigned({ alg: 'none', x: 'x'.repeat(35_000) }, payload())],
    ['no JWT', () => 'a.b.c'],
    ['dots', () => '..'],
  ] as [string, () => string | Promise<string>][]
}

describe('T113: a client assertion nobody signed', () => {
  const forge = (header: Record<string, unknown>, payload = claims()) =>
    assertion(payload, header, stranger.privateKey)

  test.each(abuse(forge, claims, publicJwk))('with %s is refused', async (_, make) => {
    const { status, access_token } = await present(await make())
    expect([400, 401]).toContain(status)
    expect(access_token).toBeUndefined()
  })

  test('makes us fetch nothing: jku and x5u lead nowhere', async () => {
    let fetched = 0
    const elsewhere = createServer((_, res) => res.end(String(++fetched))).listen(0)
    const url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/keys`
    expect((await present(await forge({ jku: url, x5u: url }))).status).toBe(401)
    expect(fetched).toBe(0)
    elsewhere.close()
  })
})

describe('T113: an id_token_hint nobody signed', () => {
  let tokens: Tokens
  let visitor: Awaited<ReturnType<typeof signUpAndIn>>['browser']
  let ours: object
  beforeAll(async () => {
    ;({ tokens, browser: visitor } = await signUpAndIn(server, server.clients.own, OPAQUE))
    const { keys } = (await (await fetch(`${server.issuer}/jwks`)).json()) as { keys: object[] }
    ours = keys[0]!
  })

  const payload = (): JWTPayload =>
    JSON.parse(Buffer.from(tokens.id_token.split('.')[1]!, 'base64url').toString()) as JWTPayload
  const forge = (header: Record<string, unknown>) =>
    new SignJWT(payload()).setProtectedHeader({ alg: 'ES256', ...header }).sign(stranger.privateKey)

  test.each(abuse(forge, payload, publicJwk))('with %s signs nobody out', async (_, make) => {
    const hint = await make()
    const query = new URLSearchParams({
      id_token_hint: hint,
      post_logout_redirect_uri: 'http://localhost:3999/signed-out',
    })
    const page = await visitor.get(`${server.issuer}/session/end?${query}`.slice(0, 15_000))
    expect(page.status).toBe(400)
    expect(page.next).toBeNull()
    expect(await isSignedIn(visitor, server)).toBe(true)
  })

  test('with our own public key as an HMAC secret signs nobody out', async () => {
    const body = `${segment({ alg: 'HS256' })}.${segment(payload())}`
    for (const secret of [JSON.stringify(ours), server.clients.own.client_secret]) {
      const hint = `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
      expect((await visitor.get(`${server.issuer}/session/end?id_token_hint=${hint}`)).status).toBe(400)
    }
    expect(await isSignedIn(visitor, server)).toBe(true)
  })
})

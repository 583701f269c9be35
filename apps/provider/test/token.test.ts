import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClientConfig } from '../src/config.ts'
import {
  age,
  authorizationRequest,
  bearer,
  begin,
  codeOf,
  introspect,
  OPAQUE,
  redeem,
  refresh,
  signUpAndIn,
  token,
} from './support/relying-party.ts'
import { API_AUDIENCE, startServer, type TestServer } from './support/server.ts'

let server: TestServer
let clients: TestServer['clients']
beforeAll(async () => {
  server = await startServer()
  clients = server.clients
})
afterAll(() => server.close())

/** A code that nobody has redeemed yet. */
async function newCode(client: ClientConfig, change: Record<string, string | undefined> = {}) {
  const { browser } = await signUpAndIn(server, client)
  const request = authorizationRequest(server, client, change)
  return { request, code: codeOf(await begin(browser, request)) }
}

const refusal = { status: 400, body: { error: 'invalid_grant' } }

describe('T100: a code that is redeemed a second time', () => {
  test('gets nothing, and all that the first redemption brought is dead', async () => {
    const { request, code, tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    expect(await bearer(server, tokens.access_token)).toBe(200)
    expect(await redeem(server, clients.own, { request, code })).toMatchObject(refusal)
    expect(await bearer(server, tokens.access_token)).toBe(401)
    expect(await introspect(server, clients.own, tokens.access_token)).toEqual({ active: false })
    expect(await introspect(server, clients.own, tokens.refresh_token)).toEqual({ active: false })
    expect(await refresh(server, clients.own, tokens.refresh_token)).toMatchObject(refusal)
  })

  test('half a minute later is answered alike', async () => {
    const { request, code, tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    await age(server, 30, 'AuthorizationCode')
    expect(await redeem(server, clients.own, { request, code })).toMatchObject(refusal)
    expect(await refresh(server, clients.own, tokens.refresh_token)).toMatchObject(refusal)
  })

  test('a day later gets nothing either', async () => {
    const { request, code } = await signUpAndIn(server, clients.own, OPAQUE)
    await age(server, 86_400, 'AuthorizationCode')
    expect(await redeem(server, clients.own, { request, code })).toMatchObject(refusal)
  })

  test('a code that nobody redeemed is worth nothing after its minute', async () => {
    const { request, code } = await newCode(clients.own)
    await age(server, 61, 'AuthorizationCode')
    expect(await redeem(server, clients.own, { request, code })).toMatchObject(refusal)
  })
})

describe('T103: a code', () => {
  type Redemption = { client: ClientConfig; secret?: string | undefined; redirectUri?: string }
  const attempt = (
    issued: Awaited<ReturnType<typeof newCode>>,
    { client, secret = client.client_secret, redirectUri }: Redemption,
  ) =>
    token(server, client, {
      client_secret: secret || undefined,
      grant_type: 'authorization_code',
      code: issued.code,
      redirect_uri: redirectUri ?? issued.request.redirectUri,
      code_verifier: issued.request.verifier,
    })

  test('is its own app’s alone, and still good for that app after others have tried', async () => {
    const { own, third, spa } = clients
    const issued = await newCode(own)
    for (const client of [third, spa]) expect(await attempt(issued, { client })).toMatchObject(refusal)
    for (const secret of ['', 'wrong', `${own.client_secret}x`, own.client_secret.toUpperCase()]) {
      expect(await attempt(issued, { client: own, secret })).toMatchObject({
        status: 401,
        body: { error: 'invalid_client' },
      })
    }
    expect((await attempt(issued, { client: own })).status).toBe(200)
  })

  test('of a public app cannot be had by adding a secret', async () => {
    const issued = await newCode(clients.spa)
    expect(await attempt(issued, { client: clients.spa, secret: 'guess' })).toMatchObject({ status: 401 })
    expect((await attempt(issued, { client: clients.spa })).status).toBe(200)
  })

  test('is bound to the address it was sent to', async () => {
    const issued = await newCode(clients.own)
    for (const redirectUri of ['', 'https://evil.example/', `${issued.request.redirectUri}/`]) {
      expect((await attempt(issued, { client: clients.own, redirectUri })).status).toBe(400)
    }
  })
})

test('T103: a refresh token is its own app’s alone, and lives on after others have tried', async () => {
  const { tokens } = await signUpAndIn(server, clients.own, OPAQUE)
  for (const client of [clients.third, clients.spa])
    expect(await refresh(server, client, tokens.refresh_token)).toMatchObject(refusal)
  const thief = { ...clients.own, client_secret: 'a guess of some length' }
  expect(await refresh(server, thief, tokens.refresh_token)).toMatchObject({ status: 401 })
  expect((await refresh(server, clients.own, tokens.refresh_token)).status).toBe(200)
})

test('T104: nothing passes for something else', async () => {
  const { tokens, code } = await signUpAndIn(server, clients.own, OPAQUE)
  const { tokens: forApi } = await signUpAndIn(server, clients.own)
  for (const wrong of [tokens.refresh_token, tokens.id_token, code, forApi.access_token, forApi.id_token]) {
    expect(await bearer(server, wrong)).toBe(401)
  }
  for (const wrong of [tokens.access_token, tokens.id_token, code, forApi.access_token]) {
    expect(await refresh(server, clients.own, wrong)).toMatchObject(refusal)
  }
  const request = authorizationRequest(server, clients.own)
  for (const wrong of [tokens.refresh_token, tokens.access_token]) {
    expect(await redeem(server, clients.own, { request, code: wrong })).toMatchObject(refusal)
  }
  for (const wrong of [tokens.access_token, forApi.access_token, code]) {
    const response = await fetch(
      `${server.issuer}/session/end?${new URLSearchParams({ id_token_hint: wrong })}`,
    )
    expect(response.status).toBe(400)
  }
  expect(await bearer(server, tokens.access_token)).toBe(200)
})

describe('T105: a token that was changed', () => {
  const half = (text: string) => text.slice(text.length / 2) + text.slice(0, text.length / 2)
  const flip = (text: string) =>
    text.replace(/[a-z]/i, (sign) => (sign === sign.toLowerCase() ? sign.toUpperCase() : sign.toLowerCase()))
  const bend = (text: string) => [
    ...[1, 2, 5, 20, text.length - 1].map((length) => text.slice(0, -length)),
    `${text}x`,
    `${text}=`,
    ` ${text}`,
    `${text} `,
    `${text}\0`,
    `${text}%00`,
    `\0${text}`,
    flip(text),
    half(text),
    text.repeat(2),
    text.split('').reverse().join(''),
    `${text}\r\nx: y`,
  ]

  test('reads nothing, refreshes nothing and is not active, and the true one is none the worse', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    for (const wrong of bend(tokens.access_token)) {
      const { active } = await introspect(server, clients.own, wrong)
      expect(active, JSON.stringify(wrong)).toBe(false)
      // What is no header value never leaves an HTTP library; white space around one is no part of it (RFC 9110, 5.5).
      if (/^[!-~]+$/.test(wrong)) expect(await bearer(server, wrong)).toBe(401)
    }
    for (const wrong of bend(tokens.refresh_token)) {
      expect((await refresh(server, clients.own, wrong)).body.error, JSON.stringify(wrong)).toBe(
        'invalid_grant',
      )
    }
    expect(await bearer(server, tokens.access_token)).toBe(200)
    expect((await refresh(server, clients.own, tokens.refresh_token)).status).toBe(200)
  })
})

describe('T108: a grant that does not exist here', () => {
  test.each([
    'password',
    'implicit',
    'urn:ietf:params:oauth:grant-type:token-exchange',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:ietf:params:oauth:grant-type:saml2-bearer',
    'urn:ietf:params:oauth:grant-type:device_code',
    'urn:openid:params:grant-type:ciba',
    'client_credentials',
    'AUTHORIZATION_CODE',
    'constructor',
    '__proto__',
    'authorization_code\0',
  ])('%j gets no token', async (grant_type) => {
    const params = {
      grant_type,
      username: 'ada@example.com',
      password: 'x',
      scope: 'openid',
      assertion: 'x',
      subject_token: 'x',
      device_code: 'x',
    }
    for (const client of [clients.own, clients.spa]) {
      const { status, body } = await token(server, client, params)
      expect([400, 401]).toContain(status)
      expect(['unsupported_grant_type', 'unauthorized_client', 'invalid_request']).toContain(body.error)
    }
  })

  test('nor does a request without one, or with two', async () => {
    expect((await token(server, clients.own, {})).status).toBe(400)
    const body = `client_id=own-web&client_secret=${clients.own.client_secret}&grant_type=refresh_token&grant_type=authorization_code&code=x`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await fetch(`${server.issuer}/token`, { method: 'POST', headers, body })).status).toBe(400)
  })
})

describe('an access token for an API', () => {
  test('T111: is what RFC 9068 asks for, short-lived and for that API alone', async () => {
    const { tokens } = await signUpAndIn(server, clients.third)
    const keys = createLocalJWKSet((await (await fetch(`${server.issuer}/jwks`)).json()) as JSONWebKeySet)
    const options = { issuer: server.issuer, audience: API_AUDIENCE, typ: 'at+jwt', algorithms: ['ES256'] }
    const { payload, protectedHeader } = await jwtVerify(tokens.access_token, keys, options)
    expect(protectedHeader.kid).toMatch(/^key_/)
    expect(payload).toMatchObject({
      client_id: 'third-web',
      scope: 'api:read',
      sub: decodeJwt(tokens.id_token).sub,
      aud: API_AUDIENCE,
    })
    expect(payload.jti).toMatch(/^[\w-]{20,}$/)
    expect(payload.exp! - payload.iat!).toBeLessThanOrEqual(600)
    expect(payload['auth_time']).toBe(decodeJwt(tokens.id_token)['auth_time'])
    for (const claim of ['email', 'name', 'email_verified', 'nonce', 'sid'])
      expect(payload).not.toHaveProperty(claim)
  })

  test('can never be taken for an ID token, nor an ID token for it', async () => {
    const { tokens } = await signUpAndIn(server, clients.own)
    expect(decodeProtectedHeader(tokens.access_token).typ).toBe('at+jwt')
    expect(decodeProtectedHeader(tokens.id_token).typ).not.toBe('at+jwt')
    expect(decodeJwt(tokens.id_token).aud).toBe('own-web')
  })
})

test('T071: no token answer is ever cached, an error’s neither', async () => {
  const { answer } = await signUpAndIn(server, clients.own)
  const refused = await token(server, clients.own, { grant_type: 'authorization_code', code: 'x' })
  for (const { headers } of [answer, refused]) {
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('content-type')).toMatch(/^application\/json/)
  }
})

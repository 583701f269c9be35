import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClientConfig } from '../src/config.ts'
import { OPAQUE, signUpAndIn } from './support/relying-party.ts'
import { APP, startServer, type TestServer } from './support/server.ts'

/** Exchanges its code from another origin than the one it is sent back to. */
const docs = {
  client_id: 'docs',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['https://docs.example/oauth2-redirect'],
  allowed_origins: ['https://docs.example', 'https://staging.docs.example'],
  first_party: true,
} as ClientConfig

const FOREIGN = [
  'https://evil.example',
  'null',
  `${APP}.evil.example`,
  'http://localhost:4999',
  'https://localhost:3999',
  'http://sub.localhost:3999',
  'http://LOCALHOST:3999',
]

let server: TestServer
beforeAll(async () => {
  server = await startServer({ clients: [docs] })
})
afterAll(() => server.close())

const allowed = (response: Response) => response.headers.get('access-control-allow-origin')

const post = (path: string, origin: string, params: Record<string, string>) =>
  fetch(`${server.issuer}${path}`, { method: 'POST', headers: { origin }, body: new URLSearchParams(params) })
const refreshFrom = (origin: string, client_id: string) =>
  post('/token', origin, { grant_type: 'refresh_token', refresh_token: 'x', client_id })

async function preflight(
  path: string,
  origin: string,
  headers = 'authorization, content-type, x-requested-with',
) {
  return fetch(`${server.issuer}${path}`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': headers },
  })
}

describe('T082: a browser app', () => {
  test('may call the token endpoint from the origin it was sent back to', async () => {
    const response = await refreshFrom(APP, 'spa')
    expect([allowed(response), response.status]).toEqual([APP, 400])
    expect(response.headers.get('vary')).toContain('Origin')
    expect(((await response.json()) as { error: string }).error).toBe('invalid_grant')
  })

  test('may call it from the origins it registered for that, and then from no other', async () => {
    for (const origin of ['https://docs.example', 'https://staging.docs.example']) {
      expect(allowed(await refreshFrom(origin, 'docs'))).toBe(origin)
    }
    expect(allowed(await refreshFrom(APP, 'docs'))).toBeNull()
  })

  test.each(FOREIGN)('is not answered on the page of %s', async (origin) => {
    for (const client of ['spa', 'docs']) {
      const response = await refreshFrom(origin, client)
      expect([allowed(response), response.status]).toEqual([null, 400])
    }
  })

  test('with a secret has no business in a browser: it is answered on no page', async () => {
    const { client_id, client_secret } = server.clients.own
    const response = await post('/token', APP, {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_id,
      client_secret,
    })
    expect(allowed(response)).toBeNull()
  })

  test('reads userinfo where it may call the token endpoint', async () => {
    const { tokens } = await signUpAndIn(server, server.clients.spa, OPAQUE)
    const read = (origin: string) =>
      fetch(`${server.issuer}/me`, { headers: { origin, authorization: `Bearer ${tokens.access_token}` } })
    expect(allowed(await read(APP))).toBe(APP)
    for (const origin of FOREIGN) {
      const response = await read(origin)
      expect([allowed(response), response.status]).toEqual([null, 400])
      expect(await response.text()).not.toContain('@example.com')
    }
  })

  test('revokes and introspects there too', async () => {
    for (const path of ['/token/revocation', '/token/introspection']) {
      expect(allowed(await post(path, APP, { token: 'x', client_id: 'spa' }))).toBe(APP)
      expect(allowed(await post(path, 'https://evil.example', { token: 'x', client_id: 'spa' }))).toBeNull()
    }
  })
})

test('a preflight of the token endpoint is answered, x-requested-with included', async () => {
  const response = await preflight('/token', APP)
  expect(response.status).toBe(204)
  expect(allowed(response)).toBe(APP)
  expect(response.headers.get('access-control-allow-headers')).toContain('x-requested-with')
  expect(response.headers.get('access-control-allow-methods')).toContain('POST')
})

test('discovery and keys are open to every page', async () => {
  for (const path of [
    '/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server',
    '/jwks',
  ]) {
    const response = await fetch(`${server.issuer}${path}`, {
      headers: { origin: 'https://anything.example' },
    })
    expect([response.status, allowed(response)]).toEqual([200, '*'])
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
    expect(response.headers.get('cross-origin-resource-policy')).toBe('cross-origin')
  }
})

describe('T082: no other page reads', () => {
  test.each([
    '/',
    '/auth?client_id=own-web',
    '/account',
    '/sign-in',
    '/register',
    '/session/end',
    '/sign-out',
    '/interaction/x',
    '/livez',
    '/readyz',
    '/nowhere',
  ])('%s', async (path) => {
    for (const origin of [APP, ...FOREIGN]) {
      const response = await fetch(`${server.issuer}${path}`, { redirect: 'manual', headers: { origin } })
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
      const options = await preflight(path, origin)
      expect([...options.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    }
  })

  test('anything with the person’s cookies: credentials are allowed nowhere', async () => {
    for (const path of ['/token', '/me', '/jwks', '/.well-known/openid-configuration', '/token/revocation']) {
      for (const response of [
        await preflight(path, APP),
        await fetch(`${server.issuer}${path}`, { headers: { origin: APP } }),
      ]) {
        expect(response.headers.get('access-control-allow-credentials')).toBeNull()
      }
    }
  })
})

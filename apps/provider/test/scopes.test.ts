// What a client may ask for is what its registration and the APIs' own lists say, and nothing a language happens to know.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ClientConfig } from '../src/config.ts'
import { createBrowser } from './support/browser.ts'
import { authorizationRequest, begin, codeOf, redeem, register, token } from './support/relying-party.ts'
import { API_AUDIENCE, startServer, type TestServer } from './support/server.ts'

const SECRET = 'm'.repeat(32)
const machine = (client_id: string, scope?: string) =>
  ({
    client_id,
    client_secret: SECRET,
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    scope,
    first_party: false,
  }) as ClientConfig
const reader = machine('machine-reader', 'api:read')
const stranger = machine('machine-stranger', 'openid')
const unlisted = machine('machine-unlisted')

let server: TestServer
beforeAll(async () => {
  server = await startServer({ clients: [reader, stranger, unlisted] })
})
afterAll(() => server.close())

test('names that every object has are no scopes: nobody is asked for them, and no token holds them', async () => {
  const { third } = server.clients
  const browser = createBrowser()
  const request = authorizationRequest(server, third, {
    scope: 'openid api:read constructor toString __proto__ hasOwnProperty',
  })
  const consent = await register(browser, await begin(browser, request))
  expect(consent.text).not.toMatch(/native code|constructor|hasOwnProperty/)
  const done = await browser.follow(await browser.submit(consent, '/consent'))
  const { body } = await redeem(server, third, { request, code: codeOf(done) })
  expect(body.scope).toBe('api:read')
})

test('a machine gets the scopes its registration lists, and no more', async () => {
  const params = { grant_type: 'client_credentials', resource: API_AUDIENCE, scope: 'api:read api:write' }
  expect((await token(server, reader, params)).body.scope).toBe('api:read')
  expect(await token(server, stranger, params)).toMatchObject({
    status: 400,
    body: { error: 'invalid_target' },
  })
  expect(await token(server, unlisted, params)).toMatchObject({
    status: 400,
    body: { error: 'invalid_target' },
  })
})

test('an API that nobody registered is refused', async () => {
  const params = { grant_type: 'client_credentials', resource: 'https://api.example.org', scope: 'api:read' }
  expect(await token(server, reader, params)).toMatchObject({
    status: 400,
    body: { error: 'invalid_target' },
  })
})

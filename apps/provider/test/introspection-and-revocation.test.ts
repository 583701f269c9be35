import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClientConfig, ResourceConfig } from '../src/config.ts'
import { bearer, introspect, OPAQUE, refresh, signUpAndIn } from './support/relying-party.ts'
import { APP, startServer, type TestServer } from './support/server.ts'

const AUDIENCE = 'https://notes.example'
const notes: ResourceConfig = {
  audience: AUDIENCE,
  name: 'Notes',
  scopes: { 'notes:read': 'Read your notes' },
  token_format: 'opaque',
  token_lifetime: 600_000,
  signing_alg: 'ES256',
}
const web: ClientConfig = {
  client_id: 'notes-web',
  client_secret: 'a secret of some length',
  redirect_uris: [`${APP}/callback`],
  scope: 'openid offline_access notes:read',
  first_party: true,
}
/** The API itself, asking about the tokens it is shown. */
const api = {
  client_id: 'notes-api',
  client_secret: 'another secret of some length',
  redirect_uris: [],
  response_types: [],
  grant_types: [],
  resource_server: AUDIENCE,
  first_party: false,
} as ClientConfig

let server: TestServer
let clients: TestServer['clients']
beforeAll(async () => {
  server = await startServer({ clients: [web, api], resources: [notes] })
  clients = server.clients
})
afterAll(() => server.close())

const forNotes = () =>
  signUpAndIn(server, web, { scope: 'openid offline_access notes:read', resource: AUDIENCE })

describe('introspection (RFC 7662)', () => {
  test('tells an app about its own tokens', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    const told = await introspect(server, clients.own, tokens.access_token)
    expect(told).toMatchObject({
      active: true,
      client_id: 'own-web',
      iss: server.issuer,
      scope: 'openid profile email',
      token_type: 'Bearer',
      acr: 'urn:anteroom:acr:1',
    })
    expect(await introspect(server, clients.own, tokens.refresh_token)).toMatchObject({
      active: true,
      client_id: 'own-web',
    })
    expect(JSON.stringify(told)).not.toContain('@example.com')
  })

  test('R093: tells nobody about another app’s', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    for (const value of [tokens.access_token, tokens.refresh_token]) {
      for (const client of [clients.third, clients.spa, api])
        expect(await introspect(server, client, value)).toEqual({ active: false })
    }
  })

  test('tells an API about the tokens that are for it, the refresh token not', async () => {
    const { tokens } = await forNotes()
    const told = await introspect(server, api, tokens.access_token)
    expect(told).toMatchObject({ active: true, aud: AUDIENCE, scope: 'notes:read', client_id: 'notes-web' })
    expect(await introspect(server, api, tokens.refresh_token)).toEqual({ active: false })
  })

  test('asks who wants to know', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    const ask = (params: Record<string, string>) =>
      fetch(`${server.issuer}/token/introspection`, {
        method: 'POST',
        body: new URLSearchParams({ token: tokens.access_token, ...params }),
      })
    expect((await ask({})).status).toBe(400)
    expect((await ask({ client_id: 'own-web' })).status).toBe(401)
    expect((await ask({ client_id: 'own-web', client_secret: 'wrong' })).status).toBe(401)
    expect((await fetch(`${server.issuer}/token/introspection?token=${tokens.access_token}`)).status).toBe(
      404,
    )
  })

  test('of what is no token of ours is inactive, of a JWT refused, never an error of ours', async () => {
    const { tokens } = await signUpAndIn(server, clients.own)
    for (const value of ['x', '\0', 'x'.repeat(40_000), "' or 1=1 --"]) {
      expect(await introspect(server, clients.own, value)).toEqual({ active: false })
    }
    expect(await introspect(server, clients.own, tokens.access_token)).toMatchObject({
      error: 'unsupported_token_type',
    })
  })
})

async function revoke(client: ClientConfig, value: string) {
  const { client_id, client_secret } = client
  const body = new URLSearchParams({ client_id, ...(client_secret && { client_secret }), token: value })
  return fetch(`${server.issuer}/token/revocation`, { method: 'POST', body })
}

describe('revocation (RFC 7009)', () => {
  test('of a refresh token ends the access tokens that came with it, and answers {} in JSON', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    const response = await revoke(clients.own, tokens.refresh_token)
    expect([response.status, await response.text()]).toEqual([200, '{}'])
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    expect(await bearer(server, tokens.access_token)).toBe(401)
    expect((await refresh(server, clients.own, tokens.refresh_token)).body.error).toBe('invalid_grant')
  })

  test('T110: of an access token ends it, here and for the API that asks', async () => {
    const { tokens } = await forNotes()
    expect((await revoke(web, tokens.access_token)).status).toBe(200)
    expect(await introspect(server, api, tokens.access_token)).toEqual({ active: false })
  })

  test('is for one’s own tokens: another app’s live on', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    for (const client of [clients.third, clients.spa, api]) {
      for (const value of [tokens.access_token, tokens.refresh_token]) await revoke(client, value)
    }
    expect(await bearer(server, tokens.access_token)).toBe(200)
    expect((await refresh(server, clients.own, tokens.refresh_token)).status).toBe(200)
    expect(
      (await revoke({ ...clients.own, client_secret: 'a wrong secret' }, tokens.refresh_token)).status,
    ).toBe(401)
    expect((await refresh(server, clients.own, tokens.refresh_token)).status).toBe(200)
  })

  test('of what is no token is answered as if it had been one', async () => {
    for (const value of ['x', '\0', 'x'.repeat(40_000)]) {
      const response = await revoke(clients.own, value)
      expect([response.status, await response.text()]).toEqual([200, '{}'])
    }
  })

  test('twice is as good as once', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    await revoke(clients.own, tokens.refresh_token)
    expect((await revoke(clients.own, tokens.refresh_token)).status).toBe(200)
  })
})

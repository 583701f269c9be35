// One test for each module of the OpenID Foundation's oidcc-basic-certification-test-plan that applies, named like it.
// Left out: oidcc-scope-address and -phone (scopes we do not have), oidcc-ensure-request-object-with-redirect-uri
// (no request objects), oidcc-ensure-post-request-succeeds (a warning for providers that take GET alone, as we do).
import * as oauth from 'oauth4webapi'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { age, authorizationRequest } from '../support/relying-party.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { createSuite, newPerson, type Person } from './flow.ts'

let server: TestServer
let suite: ReturnType<typeof createSuite>
let other: ReturnType<typeof createSuite>
beforeAll(async () => {
  server = await startServer()
  suite = createSuite(server, server.clients.own)
  other = createSuite(server, server.clients.third)
})
afterEach(() => {
  vi.useRealTimers()
})
afterAll(() => server.close())

/** The suite waits; here the clock goes on. */
const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000)

async function signedIn(change = {}) {
  const person = newPerson()
  return { person, first: await suite.flow({ person, change }) }
}

const userinfo = async (accessToken: string, init: RequestInit = {}) =>
  fetch(`${server.issuer}/me`, { headers: { authorization: `Bearer ${accessToken}` }, ...init })

async function expectSuccessWith(change: Record<string, string>) {
  const { claims } = await suite.flow({ change })
  expect(claims.sub).toMatch(/^usr_/)
}

describe('oidcc-basic-certification-test-plan', () => {
  test('oidcc-server', async () => {
    const { claims, as } = await suite.flow()
    await other.flow()
    const { keys } = (await (await fetch(as.jwks_uri!)).json()) as { keys: Record<string, string>[] }
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(keys.length)
    for (const key of keys) expect(Object.keys(key)).toEqual(expect.not.arrayContaining(['d', 'p', 'q', 'k']))
    for (const name of ['name', 'email']) expect(claims).not.toHaveProperty(name)
  })

  test('oidcc-response-type-missing', async () => {
    expect(await suite.refusal(newPerson(), { response_type: undefined })).toBe('invalid_request')
  })

  test('oidcc-idtoken-signature', async () => {
    const { tokens } = await suite.flow()
    const header = JSON.parse(Buffer.from(tokens.id_token!.split('.')[0]!, 'base64url').toString()) as Record<
      string,
      string
    >
    expect(header).toMatchObject({ alg: 'RS256', kid: expect.stringMatching(/^key_/) })
  })

  test('oidcc-idtoken-unsigned', async () => {
    expect((await suite.discover()).id_token_signing_alg_values_supported).not.toContain('none')
  })

  test('oidcc-userinfo-get', async () => {
    const { tokens, claims } = await suite.flow()
    const response = await userinfo(tokens.access_token)
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    expect(await response.json()).toMatchObject({ sub: claims.sub })
  })

  test('oidcc-userinfo-post-header', async () => {
    const { tokens, claims } = await suite.flow()
    expect(await (await userinfo(tokens.access_token, { method: 'POST' })).json()).toMatchObject({
      sub: claims.sub,
    })
  })

  test('oidcc-userinfo-post-body', async () => {
    const { tokens, claims } = await suite.flow()
    const body = new URLSearchParams({ access_token: tokens.access_token })
    expect(await (await userinfo('', { method: 'POST', headers: {}, body })).json()).toMatchObject({
      sub: claims.sub,
    })
  })

  test('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', async () => {
    const { claims } = await suite.flow({ change: { nonce: undefined } })
    expect(claims).not.toHaveProperty('nonce')
  })

  test('oidcc-scope-profile', async () => {
    expect((await suite.flow({ change: { scope: 'openid profile' } })).userinfo).toMatchObject({
      name: 'Ada Lovelace',
    })
  })

  test('oidcc-scope-email', async () => {
    const { userinfo: told, person } = await suite.flow({ change: { scope: 'openid email' } })
    expect(told).toMatchObject({ email: person.email, email_verified: false })
  })

  test('oidcc-scope-all', async () => {
    const { scopes_supported = [] } = await suite.discover()
    const { userinfo: told } = await suite.flow({ change: { scope: scopes_supported.join(' ') } })
    expect(Object.keys(told).sort()).toEqual(['email', 'email_verified', 'name', 'sub'])
  })

  test('oidcc-alternate-happy-flow', async () => {
    const { userinfo: told, person } = await suite.flow({ change: { scope: 'email openid' } })
    expect(told).toMatchObject({ email: person.email })
  })

  test('oidcc-display-page', () => expectSuccessWith({ display: 'page' }))
  test('oidcc-display-popup', () => expectSuccessWith({ display: 'popup' }))

  test('oidcc-prompt-login', async () => {
    const { person, first } = await signedIn()
    pass(2)
    const second = await suite.flow({ person, change: { prompt: 'login' } })
    expect(second.shown).toEqual(['method/password'])
    expect(second.claims.auth_time!).toBeGreaterThan(first.claims.auth_time!)
    expect(second.claims.sub).toBe(first.claims.sub)
  })

  test('oidcc-prompt-none-not-logged-in', async () => {
    expect(await suite.refusal(newPerson(), { prompt: 'none' })).toBe('login_required')
  })

  test('oidcc-prompt-none-logged-in', async () => {
    const { person, first } = await signedIn()
    pass(2)
    const second = await suite.flow({ person, change: { prompt: 'none' } })
    expect(second.shown).toEqual([])
    expect([second.claims.sub, second.claims.auth_time]).toEqual([first.claims.sub, first.claims.auth_time])
  })

  test('oidcc-max-age-1', async () => {
    const { person, first } = await signedIn()
    pass(2)
    const second = await suite.flow({ person, change: { max_age: '1' } })
    expect(second.shown).toEqual(['method/password'])
    expect(second.claims.auth_time!).toBeGreaterThan(first.claims.auth_time!)
    expect(second.claims.auth_time!).toBeGreaterThan(Date.now() / 1000 - 60)
  })

  test('oidcc-max-age-10000', async () => {
    const { person, first } = await signedIn({ max_age: '15000' })
    const second = await suite.flow({ person, change: { max_age: '10000' } })
    expect(second.shown).toEqual([])
    expect(first.claims.auth_time).toBeTypeOf('number')
    expect([second.claims.sub, second.claims.auth_time]).toEqual([first.claims.sub, first.claims.auth_time])
  })

  test('oidcc-ensure-request-with-unknown-parameter-succeeds', () => expectSuccessWith({ extra: 'foobar' }))

  test('oidcc-id-token-hint', async () => {
    const { person, first } = await signedIn()
    const change = { prompt: 'none', id_token_hint: first.tokens.id_token! }
    const second = await suite.flow({ person, change })
    expect([second.claims.sub, second.claims.auth_time]).toEqual([first.claims.sub, first.claims.auth_time])
  })

  test('oidcc-login-hint', () => expectSuccessWith({ login_hint: 'buffy@host.example' }))
  test('oidcc-ui-locales', () => expectSuccessWith({ ui_locales: 'se' }))
  test('oidcc-claims-locales', () => expectSuccessWith({ claims_locales: 'se' }))

  test('oidcc-ensure-request-with-acr-values-succeeds', async () => {
    const { acr_values_supported = [] } = await suite.discover()
    const { claims } = await suite.flow({
      change: { acr_values: (acr_values_supported as string[]).join(' ') },
    })
    expect(acr_values_supported).toContain(claims['acr'])
    await suite.flow({ change: { acr_values: '1 2' } })
  })

  test('oidcc-codereuse', async () => {
    const { redeem } = await suite.flow()
    const again = await redeem()
    expect([again.status, ((await again.json()) as { error: string }).error]).toEqual([400, 'invalid_grant'])
  })

  test('oidcc-codereuse-30seconds', async () => {
    const { redeem, tokens } = await suite.flow()
    pass(30)
    await age(server, 30, 'AuthorizationCode')
    const again = await redeem()
    expect([again.status, ((await again.json()) as { error: string }).error]).toEqual([400, 'invalid_grant'])
    expect((await userinfo(tokens.access_token)).status).toBe(401)
  })

  test('oidcc-ensure-registered-redirect-uri', async () => {
    const redirect_uri = `${server.clients.own.redirect_uris[0]}${Math.random().toString(36).slice(2)}`
    const page = await newPerson().browser.get(suite.request({ redirect_uri }).url)
    expect([page.status, page.next]).toEqual([400, null])
  })

  test('oidcc-server-client-secret-post', async () => {
    await suite.flow({ auth: oauth.ClientSecretPost })
  })

  test('oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported', async () => {
    const as = await suite.discover()
    expect(as.request_object_signing_alg_values_supported ?? []).not.toContain('none')
    expect(as.request_uri_parameter_supported).toBe(false)
    const page = await newPerson().browser.get(
      suite.request({ request_uri: 'https://app.example/request.jwt' }).url,
    )
    expect(page.next ?? '').not.toContain('code=')
    expect(page.status).toBeLessThan(500)
  })

  test('oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported', async () => {
    const request = ['{"alg":"none"}', '{"scope":"openid"}', '']
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.')
    expect(await suite.refusal(newPerson(), { request })).toBe('request_not_supported')
  })

  test('oidcc-claims-essential', () =>
    expectSuccessWith({ claims: '{"userinfo":{"name":{"essential":true}}}' }))

  test('oidcc-refresh-token', async () => {
    const change = { scope: 'openid offline_access', prompt: 'login consent' }
    const { as, me, tokens, claims } = await suite.flow({ change })
    const { tokens: foreign } = await other.flow({ change })
    expect(tokens.refresh_token).toMatch(/^[\x20-\x7e]{22,}$/)
    pass(1)
    const auth = oauth.ClientSecretBasic(server.clients.own.client_secret)
    const http = { [oauth.allowInsecureRequests]: true }
    const response = await oauth.refreshTokenGrantRequest(as, me, auth, tokens.refresh_token!, http)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const renewed = await oauth.processRefreshTokenResponse(as, me, response)
    expect(renewed.access_token).not.toBe(tokens.access_token)
    const again = oauth.getValidatedIdTokenClaims(renewed)!
    for (const name of ['iss', 'sub', 'aud', 'auth_time']) expect(again[name]).toEqual(claims[name])
    expect(again.iat).toBeGreaterThan(claims.iat)
    expect((await userinfo(renewed.access_token)).status).toBe(200)
    const stolen = await oauth.refreshTokenGrantRequest(as, me, auth, foreign.refresh_token!, http)
    expect([stolen.status, ((await stolen.json()) as { error: string }).error]).toEqual([
      400,
      'invalid_grant',
    ])
  })

  test('oidcc-ensure-request-with-valid-pkce-succeeds', async () => {
    await suite.flow()
  })
})

describe('oidcc-config-certification-test-plan', () => {
  test('oidcc-discovery-endpoint-verification', async () => {
    const as = (await suite.discover()) as unknown as Record<string, unknown>
    expect(as['issuer']).toBe(server.issuer)
    for (const name of [
      'authorization_endpoint',
      'token_endpoint',
      'userinfo_endpoint',
      'jwks_uri',
      'end_session_endpoint',
    ]) {
      expect(as[name], name).toMatch(new RegExp(`^${server.issuer}/[^?#]+$`))
    }
    for (const name of [
      'response_types_supported',
      'subject_types_supported',
      'id_token_signing_alg_values_supported',
      'grant_types_supported',
      'claims_supported',
      'code_challenge_methods_supported',
      'token_endpoint_auth_methods_supported',
    ]) {
      expect((as[name] as string[]).length, name).toBeGreaterThan(0)
    }
    expect(as['id_token_signing_alg_values_supported']).toContain('RS256')
    expect(as['scopes_supported']).toContain('openid')
    expect(as['response_types_supported']).toEqual(['code'])
  })
})

describe('oidcc-formpost-basic-certification-test-plan', () => {
  async function posted(person: Person, change = {}) {
    const { url, params } = suite.request({ response_mode: 'form_post', ...change })
    const { page } = await suite.visit(person, url)
    expect(new URL(page.url).search).not.toMatch(/code=|error=/)
    expect(page.text).toContain(`name="state" value="${params['state']}"`)
    expect(page.text).toContain(`action="${authorizationRequest(server, server.clients.own).redirectUri}"`)
    return page.text
  }

  test('oidcc-server', async () =>
    expect(await posted(newPerson())).toMatch(/name="code" value="[\w-]{22,}"/))

  test('oidcc-prompt-none-not-logged-in', async () => {
    expect(await posted(newPerson(), { prompt: 'none' })).toContain('name="error" value="login_required"')
  })
})

import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from './support/browser.ts'
import {
  authorizationRequest,
  begin,
  codeOf,
  redeem,
  register,
  signUpAndIn,
} from './support/relying-party.ts'
import { API_AUDIENCE, startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

test('openid-client signs a new person in and reads the ID token and userinfo', async () => {
  const { own } = server.clients
  const config = await openid.discovery(new URL(server.issuer), own.client_id, own.client_secret, undefined, {
    execute: [openid.allowInsecureRequests],
  })
  const verifier = openid.randomPKCECodeVerifier()
  const [state, nonce] = [openid.randomState(), openid.randomNonce()]
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: own.redirect_uris[0]!,
    scope: 'openid profile email',
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })
  const browser = createBrowser()
  const done = await register(browser, await browser.follow(await browser.get(url.href)), {
    email: 'ada@example.com',
  })
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }
  const tokens = await openid.authorizationCodeGrant(config, new URL(done.next!), checks)
  const claims = tokens.claims()!
  expect(claims).toMatchObject({
    name: 'Ada Lovelace',
    email: 'ada@example.com',
    email_verified: false,
    amr: ['pwd'],
    acr: 'urn:anteroom:acr:1',
  })
  expect(claims.sub).toMatch(/^usr_[0-9a-f]{32}$/)
  const userinfo = await openid.fetchUserInfo(config, tokens.access_token, claims.sub)
  expect(userinfo).toMatchObject({ sub: claims.sub, name: 'Ada Lovelace', email: 'ada@example.com' })
  const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token!)
  expect(renewed.access_token).not.toBe(tokens.access_token)
})

test('oauth4webapi accepts discovery, the authorization response (iss included) and the tokens', async () => {
  const { third } = server.clients
  const issuer = new URL(server.issuer)
  const http = { [oauth.allowInsecureRequests]: true }
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, http))
  expect(as).toMatchObject({
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  })
  for (const [name, value] of Object.entries(as)) {
    if (/_endpoint$|_uri$/.test(name)) expect(value, name).toMatch(new RegExp(`^${server.issuer}/`))
  }

  const request = authorizationRequest(server, third)
  const browser = createBrowser()
  const consent = await register(browser, await begin(browser, request))
  expect(consent.text).toContain('Third Party &amp; Sons')
  const done = await browser.follow(await browser.submit(consent, '/consent'))
  const client: oauth.Client = { client_id: third.client_id }
  const params = oauth.validateAuthResponse(as, client, new URL(done.next!), request.state)
  const auth = oauth.ClientSecretBasic(third.client_secret)
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    auth,
    params,
    request.redirectUri,
    request.verifier,
    http,
  )
  expect(response.headers.get('cache-control')).toBe('no-store')
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
    expectedNonce: request.nonce,
    requireIdToken: true,
  })
  expect(oauth.getValidatedIdTokenClaims(tokens)?.['email']).toMatch(/@example\.com$/)
})

test('an app that names an API gets an ES256 access token for it, and RS256 ID tokens, verifiable with the published keys', async () => {
  const { tokens } = await signUpAndIn(server, server.clients.own)
  const jwks = (await (await fetch(`${server.issuer}/jwks`)).json()) as JSONWebKeySet
  for (const key of jwks.keys) expect(Object.keys(key)).not.toEqual(expect.arrayContaining(['d']))
  const keys = createLocalJWKSet(jwks)

  const access = await jwtVerify(tokens.access_token, keys, {
    typ: 'at+jwt',
    audience: API_AUDIENCE,
    issuer: server.issuer,
    algorithms: ['ES256'],
  })
  expect(access.payload).toMatchObject({
    client_id: 'own-web',
    scope: 'api:read',
    acr: 'urn:anteroom:acr:1',
    amr: ['pwd'],
    aud: API_AUDIENCE,
  })
  expect(access.payload['auth_time']).toBeTypeOf('number')
  expect(access.payload.jti).toBeTypeOf('string')
  expect(access.payload.exp! - access.payload.iat!).toBe(600)

  expect(decodeProtectedHeader(tokens.id_token).alg).toBe('RS256')
  await jwtVerify(tokens.id_token, keys, { audience: 'own-web', issuer: server.issuer })
  expect(tokens.refresh_token.length).toBeLessThanOrEqual(64)
})

test('an app that asks for an API’s scopes without naming it gets that API’s token', async () => {
  const { tokens } = await signUpAndIn(server, server.clients.own, { resource: undefined })
  expect(decodeProtectedHeader(tokens.access_token).typ).toBe('at+jwt')
})

test('an app that asks for no API gets an opaque token that reads userinfo', async () => {
  const { tokens } = await signUpAndIn(server, server.clients.own, {
    resource: undefined,
    scope: 'openid email',
  })
  expect(tokens.access_token.split('.')).toHaveLength(1)
  const response = await fetch(`${server.issuer}/me`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  })
  expect(await response.json()).toMatchObject({ email: expect.stringContaining('@example.com') })
})

test('a third party gets no scope of an API that its registration does not list, and nobody is asked for it', async () => {
  const browser = createBrowser()
  const request = authorizationRequest(server, server.clients.third, { scope: 'openid api:read api:write' })
  const consent = await register(browser, await begin(browser, request))
  expect(consent.text).toContain('Read the demo data')
  expect(consent.text).not.toContain('Change the demo data')
  const code = codeOf(await browser.follow(await browser.submit(consent, '/consent')))
  const { body } = await redeem(server, server.clients.third, { request, code })
  expect(body.scope.split(' ')).toEqual(['api:read'])
})

test('a second visit with a session is one request, and consent is remembered beyond the session', async () => {
  const { browser, email } = await signUpAndIn(server, server.clients.third)
  const again = authorizationRequest(server, server.clients.third)
  const before = browser.requests.length
  codeOf(await begin(browser, again))
  expect(browser.requests.length - before).toBe(1)

  const elsewhere = createBrowser()
  const page = await begin(elsewhere, authorizationRequest(server, server.clients.third))
  const done = await elsewhere.follow(
    await elsewhere.submit(page, '/method/password', { email, password: 'seven orange umbrellas at noon' }),
  )
  codeOf(done)

  const more = await begin(
    elsewhere,
    authorizationRequest(server, server.clients.third, { prompt: 'consent' }),
  )
  expect(more.text).toContain('Allow')
})

// The happy path of the OpenID Foundation's suite, with what it checks on every one of its ways.
import { createHash, randomBytes } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { expect } from 'vitest'
import type { ClientConfig } from '../../src/config.ts'
import { createBrowser, type Page } from '../support/browser.ts'
import { newEmail, PASSWORD, register, signIn } from '../support/relying-party.ts'
import type { TestServer } from '../support/server.ts'

const http = { [oauth.allowInsecureRequests]: true }

/** A person in their browser; one who has no account yet makes one when a page asks who they are. */
export const newPerson = () => ({ browser: createBrowser(), email: newEmail(), hasAccount: false })
export type Person = ReturnType<typeof newPerson>

type Change = Record<string, string | undefined>
type Options = { person?: Person; change?: Change; auth?: (secret: string) => oauth.ClientAuth }

/** As a client of the suite does it: discovery, request, pages, code, tokens, userinfo. */
export function createSuite(server: TestServer, client: ClientConfig) {
  const me: oauth.Client = { client_id: client.client_id }
  const issuer = new URL(server.issuer)

  const discover = async () =>
    oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, http))

  function request(change: Change = {}) {
    const verifier = randomBytes(32).toString('base64url')
    const params: Change = {
      client_id: client.client_id,
      response_type: 'code',
      scope: 'openid',
      redirect_uri: client.redirect_uris[0],
      state: randomBytes(96).toString('base64url'),
      nonce: randomBytes(16).toString('base64url'),
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...change,
    }
    const sent = Object.entries(params).filter((entry): entry is [string, string] => entry[1] !== undefined)
    return { url: `${server.issuer}/auth?${new URLSearchParams(sent)}`, params, verifier }
  }

  /** Answers every page that is shown; says which. */
  async function visit(person: Person, url: string) {
    const shown: string[] = []
    let page = await person.browser.follow(await person.browser.get(url))
    while (page.url.includes('/interaction/')) {
      const step = /\/(method\/password|consent|register)"/.exec(page.text)?.[1]
      if (!step) throw new Error(`a page nobody expected: ${page.status} ${page.url}`)
      shown.push(step)
      page = await answer(person, page, step)
    }
    return { page, shown }
  }

  async function answer(person: Person, page: Page, step: string): Promise<Page> {
    if (step === 'consent') return person.browser.follow(await person.browser.submit(page, '/consent'))
    if (person.hasAccount) return signIn(person.browser, page, { email: person.email, password: PASSWORD })
    person.hasAccount = true
    return register(person.browser, page, { email: person.email })
  }

  /** Everything the suite asserts of every flow; the parts a module looks at come back. */
  async function flow({ person = newPerson(), change = {}, auth = oauth.ClientSecretBasic }: Options = {}) {
    const as = await discover()
    const { url, params, verifier } = request(change)
    const { page, shown } = await visit(person, url)
    const callback = new URL(page.next!)
    const response = oauth.validateAuthResponse(as, me, callback, params['state'] ?? oauth.expectNoState)
    expectPlainResponse(response)
    const redeem = () =>
      oauth.authorizationCodeGrantRequest(
        as,
        me,
        auth(client.client_secret!),
        response,
        params['redirect_uri']!,
        verifier,
        http,
      )
    const tokens = await oauth.processAuthorizationCodeResponse(as, me, await redeem(), {
      expectedNonce: params['nonce'] ?? oauth.expectNoNonce,
      requireIdToken: true,
    })
    const claims = oauth.getValidatedIdTokenClaims(tokens)!
    expectTokens(tokens, claims)
    const userinfo = await oauth.processUserInfoResponse(
      as,
      me,
      claims.sub,
      await oauth.userInfoRequest(as, me, tokens.access_token, http),
    )
    expectClaimTypes(userinfo)
    return { as, me, person, shown, tokens, claims, userinfo, code: response.get('code')!, redeem }
  }

  /** What an app is told when it gets no code. */
  async function refusal(person: Person, change: Change) {
    const { url, params } = request(change)
    const page = await person.browser.get(url)
    const error = new URL(page.next!).searchParams
    expect(error.get('state')).toBe(params['state'])
    expect(error.get('iss')).toBe(server.issuer)
    expect(error.get('code')).toBeNull()
    expect(error.get('error_description') ?? '').toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/)
    return error.get('error')
  }

  return { discover, request, visit, flow, refusal }
}

function expectPlainResponse(response: URLSearchParams) {
  expect([...response.keys()].filter((name) => !['code', 'state', 'iss'].includes(name))).toEqual([])
  expect(response.get('code')).toMatch(/^[\w-]{22,}$/)
}

function expectTokens(tokens: oauth.TokenEndpointResponse, claims: oauth.IDToken) {
  const now = Math.floor(Date.now() / 1000)
  expect(tokens.token_type).toBe('bearer')
  expect(tokens.expires_in).toBeGreaterThan(0)
  expect(claims.sub).toMatch(/^[\x21-\x7e]{1,255}$/)
  expect(claims.exp).toBeGreaterThan(now)
  expect(claims.iat).toBeLessThanOrEqual(now + 1)
  expect(claims.iat).toBeGreaterThan(now - 300)
  expect(claims.auth_time).toBeLessThanOrEqual(now + 1)
  expect(claims['acr']).toMatch(/./)
  expectClaimTypes(claims)
}

function expectClaimTypes(claims: Record<string, unknown>) {
  for (const [name, type] of Object.entries({
    sub: 'string',
    name: 'string',
    email: 'string',
    email_verified: 'boolean',
    auth_time: 'number',
  })) {
    if (name in claims) expect(claims[name], name).toBeTypeOf(type as 'string')
  }
}

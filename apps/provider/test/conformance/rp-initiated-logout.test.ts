// One test for each module of the OpenID Foundation's oidcc-rp-initiated-logout-certification-test-plan, named like it.
import { randomBytes } from 'node:crypto'
import { generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSignedIn } from '../support/relying-party.ts'
import { APP, startServer, type TestServer } from '../support/server.ts'
import { createSuite, newPerson, type Person } from './flow.ts'

const BACK = `${APP}/signed-out`

let server: TestServer
let suite: ReturnType<typeof createSuite>
beforeAll(async () => {
  server = await startServer()
  suite = createSuite(server, server.clients.own)
})
afterAll(() => server.close())

async function signedIn() {
  const person = newPerson()
  const { tokens, claims } = await suite.flow({ person })
  return { person, hint: tokens.id_token!, claims }
}

async function endSession({ browser }: Person, params: Record<string, string>) {
  return browser.get(`${(await suite.discover()).end_session_endpoint}?${new URLSearchParams(params)}`)
}

/** Follows our own pages and presses the button where one asks; the last page, or the one that leaves us. */
async function finish(person: Person, params: Record<string, string>) {
  const page = await endSession(person, params)
  const asks = page.text.includes('/sign-out?back=app"')
  return person.browser.follow(asks ? await person.browser.submit(page, '/sign-out?back=app') : page)
}

const expectSignedOut = async (person: Person) =>
  expect(await suite.refusal(person, { prompt: 'none' })).toBe('login_required')

/** An error or a question of ours; in no case is the browser sent to the app. */
async function expectNoRedirect(person: Person, params: Record<string, string>) {
  const page = await finish(person, params)
  expect(page.next).toBeNull()
  expect(new URL(page.url).origin).toBe(server.issuer)
}

describe('oidcc-rp-initiated-logout-certification-test-plan', () => {
  test('oidcc-rp-initiated-logout-discovery-endpoint-verification', async () => {
    expect((await suite.discover()).end_session_endpoint).toBe(`${server.issuer}/session/end`)
  })

  test('oidcc-rp-initiated-logout', async () => {
    const { person, hint } = await signedIn()
    const state = randomBytes(96).toString('base64url')
    const page = await finish(person, { id_token_hint: hint, post_logout_redirect_uri: BACK, state })
    expect(page.next).toBe(`${BACK}?state=${state}`)
    await expectSignedOut(person)
  })

  test('oidcc-rp-initiated-logout-bad-post-logout-redirect-uri', async () => {
    const { person, hint } = await signedIn()
    await expectNoRedirect(person, {
      id_token_hint: hint,
      post_logout_redirect_uri: 'https://other.example/',
      state: 'x',
    })
  })

  test('oidcc-rp-initiated-logout-modified-id-token-hint', async () => {
    const { person, hint } = await signedIn()
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${hint.split('.')[1]}.`
    await expectNoRedirect(person, { id_token_hint: unsigned, post_logout_redirect_uri: BACK, state: 'x' })
    expect(await isSignedIn(person.browser, server)).toBe(true)
  })

  test('oidcc-rp-initiated-logout-bad-id-token-hint', async () => {
    const { person, claims } = await signedIn()
    const { privateKey } = await generateKeyPair('RS256')
    const forged = await new SignJWT({ ...claims }).setProtectedHeader({ alg: 'RS256' }).sign(privateKey)
    await expectNoRedirect(person, { id_token_hint: forged, post_logout_redirect_uri: BACK, state: 'x' })
    expect(await isSignedIn(person.browser, server)).toBe(true)
  })

  test('oidcc-rp-initiated-logout-no-id-token-hint', async () => {
    const { person } = await signedIn()
    await expectNoRedirect(person, { post_logout_redirect_uri: BACK, state: 'x' })
  })

  test.each([
    ['oidcc-rp-initiated-logout-no-params', {}],
    ['oidcc-rp-initiated-logout-only-state', { state: 'x' }],
  ] as [string, Record<string, string>][])('%s', async (_, params) => {
    const { person } = await signedIn()
    const page = await finish(person, params)
    expect([page.status, page.url]).toEqual([200, `${server.issuer}/session/end/success`])
    await expectSignedOut(person)
  })

  test('oidcc-rp-initiated-logout-no-post-logout-redirect-uri', async () => {
    const { person, hint } = await signedIn()
    const page = await finish(person, { id_token_hint: hint, state: 'x' })
    expect([page.status, page.url]).toEqual([200, `${server.issuer}/session/end/success`])
    await expectSignedOut(person)
  })

  test('oidcc-rp-initiated-logout-no-state', async () => {
    const { person, hint } = await signedIn()
    expect((await finish(person, { id_token_hint: hint, post_logout_redirect_uri: BACK })).next).toBe(BACK)
    await expectSignedOut(person)
  })

  test('oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri', async () => {
    const { person, hint } = await signedIn()
    await expectNoRedirect(person, {
      id_token_hint: hint,
      post_logout_redirect_uri: `${BACK}?foo=bar`,
      state: 'x',
    })
  })
})

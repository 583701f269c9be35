import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { ClientConfig } from '../src/config.ts'
import { type Browser, createBrowser, formsOf, type Page } from './support/browser.ts'
import {
  auditTrail,
  authorizationRequest,
  bearer,
  begin,
  codeOf,
  isSignedIn,
  OPAQUE,
  redeem,
  refresh,
  signUpAndIn,
} from './support/relying-party.ts'
import { APP, startServer, type TestServer } from './support/server.ts'

const BACK = `${APP}/signed-out`

let server: TestServer
let clients: TestServer['clients']
beforeAll(async () => {
  server = await startServer()
  clients = server.clients
})
afterAll(async () => {
  vi.useRealTimers()
  await server.close()
})

const endSession = (browser: Browser, params: Record<string, string> = {}) =>
  browser.get(`${server.issuer}/session/end?${new URLSearchParams(params)}`)
const newVisit = (client: ClientConfig = clients.own, change = {}) =>
  signUpAndIn(server, client, { ...OPAQUE, ...change })

/** Asked first, by our own page, which sends nobody anywhere. */
function expectQuestion(page: Page) {
  expect([page.status, page.next]).toEqual([200, null])
  expect(formsOf(page).some(({ action }) => action.startsWith(`${server.issuer}/sign-out`))).toBe(true)
}

/** Refused, by our own page, which sends nobody anywhere and ends nothing. */
function expectRefusal(page: Page) {
  expect([page.status, page.next]).toEqual([400, null])
  expect(formsOf(page)).toEqual([])
}

async function expectLoginRequired(browser: Browser) {
  const page = await browser.get(authorizationRequest(server, clients.own, { prompt: 'none' }).url)
  expect(new URL(page.next!).searchParams.get('error')).toBe('login_required')
}

describe('T084: an app that proves with its ID token whom it speaks for', () => {
  test('is not asked again: the session ends, and the browser is back with the app’s state', async () => {
    const { browser, tokens } = await newVisit()
    const page = await endSession(browser, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: BACK,
      state: 'a b&c',
    })
    expect(page.status).toBe(303)
    expect(page.next).toBe(`${BACK}?state=a+b%26c`)
    expect(await isSignedIn(browser, server)).toBe(false)
    await expectLoginRequired(browser)
  })

  test('is believed with an ID token that has expired, as RP-Initiated Logout asks', async () => {
    const { browser, tokens } = await newVisit()
    vi.setSystemTime(Date.now() + 3_600_000)
    const page = await endSession(browser, { id_token_hint: tokens.id_token, post_logout_redirect_uri: BACK })
    vi.useRealTimers()
    expect(page.next).toBe(BACK)
    expect(await isSignedIn(browser, server)).toBe(false)
  })

  test('and names no address ends on our own page', async () => {
    const { browser, tokens } = await newVisit()
    const page = await browser.follow(await endSession(browser, { id_token_hint: tokens.id_token }))
    expect([page.status, page.url]).toEqual([200, `${server.issuer}/session/end/success`])
    expect(await isSignedIn(browser, server)).toBe(false)
  })

  test.each([
    `${BACK}/`,
    `${BACK}?foo=bar`,
    `${BACK}#x`,
    'https://evil.example/',
    `${APP}`,
    'javascript:alert(1)',
    '//evil.example',
    `${BACK.toUpperCase()}`,
  ])('may go back to a registered address alone, not to %s', async (post_logout_redirect_uri) => {
    const { browser, tokens } = await newVisit()
    expectRefusal(await endSession(browser, { id_token_hint: tokens.id_token, post_logout_redirect_uri }))
    expect(await isSignedIn(browser, server)).toBe(true)
  })

  test('but for somebody else than who is signed in, only asks', async () => {
    const [one, other] = [await newVisit(), await newVisit()]
    expectQuestion(
      await endSession(other.browser, { id_token_hint: one.tokens.id_token, post_logout_redirect_uri: BACK }),
    )
    expect(await isSignedIn(other.browser, server)).toBe(true)
    expect(await isSignedIn(one.browser, server)).toBe(true)
  })

  test('with a token that is garbled, of another issuer or of another app ends nothing', async () => {
    const { browser, tokens } = await newVisit()
    const foreign = await new SignJWT({ aud: 'own-web' })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.alloc(32))
    for (const id_token_hint of ['garbage', tokens.id_token.slice(0, -8), foreign, tokens.access_token]) {
      expectRefusal(await endSession(browser, { id_token_hint, post_logout_redirect_uri: BACK }))
    }
    expectRefusal(
      await endSession(browser, {
        id_token_hint: tokens.id_token,
        client_id: 'third-web',
        post_logout_redirect_uri: BACK,
      }),
    )
    expect(await isSignedIn(browser, server)).toBe(true)
  })
})

describe('T084: without such a token the person is asked', () => {
  const unproven: [string, Record<string, string>, string][] = [
    [
      'who only names itself',
      { client_id: 'own-web', post_logout_redirect_uri: BACK, state: 'kept' },
      `${BACK}?state=kept`,
    ],
    ['who names nothing', {}, '/session/end/success'],
    [
      'who names an address but not itself',
      { post_logout_redirect_uri: BACK, state: 'x' },
      '/session/end/success',
    ],
  ]

  test.each(unproven)(
    'by an app %s; Sign out ends the session and goes on by a page',
    async (_, params, end) => {
      const { browser } = await newVisit()
      const question = await endSession(browser, params)
      expectQuestion(question)
      expect(await isSignedIn(browser, server)).toBe(true)
      const answer = await browser.submit(question, '/sign-out?back=app')
      expect([answer.status, answer.headers.get('location')]).toEqual([200, null])
      expect(answer.next).toBe(new URL(end, server.issuer).href)
      expect(await isSignedIn(browser, server)).toBe(false)
      await expectLoginRequired(browser)
    },
  )

  test('an address the app has not registered is refused before anything is asked', async () => {
    const { browser } = await newVisit()
    expectRefusal(
      await endSession(browser, { client_id: 'own-web', post_logout_redirect_uri: 'https://evil.example/' }),
    )
    expectRefusal(await endSession(browser, { client_id: 'nobody', post_logout_redirect_uri: BACK }))
    expect(await isSignedIn(browser, server)).toBe(true)
  })

  test('a person who stays signed in is later not sent to that app when they sign out by themselves', async () => {
    const { browser } = await newVisit()
    expectQuestion(await endSession(browser, { client_id: 'third-web', post_logout_redirect_uri: BACK }))
    const account = await browser.get(`${server.issuer}/account`)
    expect((await browser.submit(account, '/sign-out')).next).toBe(`${server.issuer}/session/end/success`)
  })

  test('no other site presses the button for them', async () => {
    const { browser } = await newVisit()
    const question = await endSession(browser)
    const { action, fields } = formsOf(question).find((form) => form.action.includes('/sign-out'))!
    expect((await browser.send(action, { form: {} })).status).toBe(403)
    expect(
      (await browser.send(action, { form: fields, headers: { origin: 'https://evil.example' } })).status,
    ).toBe(403)
    expect(
      (await browser.send(action, { form: fields, headers: { 'sec-fetch-site': 'cross-site' } })).status,
    ).toBe(403)
    for (const method of ['GET', 'HEAD']) expect((await browser.send(action, { method })).status).toBe(404)
    expect(await isSignedIn(browser, server)).toBe(true)
  })
})

test('T084: a browser without a session is simply led on', async () => {
  const browser = createBrowser()
  const page = await endSession(browser, { client_id: 'own-web', post_logout_redirect_uri: BACK, state: 's' })
  const onward = await browser.submit(page, '/session/end/confirm')
  expect(onward.next).toBe(`${BACK}?state=s`)
  const again = createBrowser()
  expect(
    (await again.follow(await again.submit(await endSession(again), '/session/end/confirm'))).status,
  ).toBe(200)
})

describe('after signing out', () => {
  const signOut = async ({ browser }: { browser: Browser }) =>
    browser.submit(await browser.get(`${server.issuer}/account`), '/sign-out')

  test('T084: the session’s cookie is dead, also in a copy of it', async () => {
    const visit = await newVisit()
    const thief = createBrowser()
    visit.browser.copyJarTo(thief)
    expect(await isSignedIn(thief, server)).toBe(true)
    // What a thief copied before is not renewed by looking at it.
    await signOut(visit)
    expect(await isSignedIn(thief, server)).toBe(false)
    await expectLoginRequired(thief)
    expect(visit.browser.jar.has('anteroom_session|/')).toBe(false)
  })

  test('the next sign-in asks for the password', async () => {
    const visit = await newVisit()
    await signOut(visit)
    expect((await begin(visit.browser, authorizationRequest(server, clients.own))).text).toContain(
      '/method/password',
    )
  })

  test.each(['by our own button', 'by the app'])(
    '%s, the house’s own apps can no longer refresh, nor use what they hold',
    async (way) => {
      const visit = await newVisit()
      const hint = { id_token_hint: visit.tokens.id_token, post_logout_redirect_uri: BACK }
      await (way === 'by the app' ? endSession(visit.browser, hint) : signOut(visit))
      expect(await refresh(server, clients.own, visit.tokens.refresh_token)).toMatchObject({
        status: 400,
        body: { error: 'invalid_grant' },
      })
      expect(await bearer(server, visit.tokens.access_token)).toBe(401)
    },
  )

  test('an app of the house that had asked for more in between loses all it was given', async () => {
    const first = await newVisit(clients.own, { scope: 'openid offline_access' })
    const request = authorizationRequest(server, clients.own, OPAQUE)
    const second = await redeem(server, clients.own, {
      request,
      code: codeOf(await begin(first.browser, request)),
    })
    await signOut(first)
    for (const { refresh_token, access_token } of [first.tokens, second.body]) {
      expect((await refresh(server, clients.own, refresh_token)).status).toBe(400)
      expect(await bearer(server, access_token)).toBe(401)
    }
  })

  test('a third party keeps what the person allowed it for when they are away, and nothing else', async () => {
    const away = await newVisit(clients.third, { prompt: 'consent' })
    const present = await newVisit(clients.third, { scope: 'openid email' })
    await Promise.all([signOut(away), signOut(present)])
    expect((await refresh(server, clients.third, away.tokens.refresh_token)).status).toBe(200)
    expect(await bearer(server, present.tokens.access_token)).toBe(401)
    expect((await refresh(server, clients.third, present.tokens.refresh_token)).status).toBe(400)
  })

  test('a second browser of the same person stays signed in', async () => {
    const visit = await newVisit()
    const second = createBrowser()
    const page = await begin(second, authorizationRequest(server, clients.own))
    await second.follow(
      await second.submit(page, '/method/password', {
        email: visit.email,
        password: 'seven orange umbrellas at noon',
      }),
    )
    await signOut(visit)
    expect(await isSignedIn(second, server)).toBe(true)
  })

  test('the log says once that the session ended, whichever way', async () => {
    const before = (await auditTrail(server, 'session.ended')).length
    const [one, other] = [await newVisit(), await newVisit()]
    await signOut(one)
    await endSession(other.browser, { id_token_hint: other.tokens.id_token })
    await vi.waitFor(async () => expect((await auditTrail(server, 'session.ended')).length).toBe(before + 2))
  })

  test('signing out twice is as good as once', async () => {
    const visit = await newVisit()
    const account = await visit.browser.get(`${server.issuer}/account`)
    await signOut(visit)
    expect((await visit.browser.submit(account, '/sign-out')).status).toBe(200)
  })
})

// A passkey is offered at good moments, where the device can make one, and not again for a month after "Not now".
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { changePassword, newBrowser, newMember, startAccountServer, userOf } from './support/account.ts'
import { type Browser, csrfIn } from './support/browser.ts'
import { addPasskey, bringPasskey, createPasskey } from './support/holders.ts'
import {
  auditTrail,
  authorizationRequest,
  begin,
  claimsOf,
  codeOf,
  isSignedIn,
  journeyOf,
  newEmail,
  redeem,
  register,
} from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startAccountServer()
})
afterAll(() => server.close())

const OFFER = 'Sign in without a password next time?'
const COOKIE = 'anteroom_passkeys'

/** As our script says it where the device makes passkeys by itself. */
const say = ({ jar }: Browser, value = 'possible') =>
  jar.set(`${COOKIE}|/`, { name: COOKIE, value, path: '/' })

async function signUp(browser = newBrowser(), email = newEmail()) {
  const request = authorizationRequest(server, server.clients.own)
  const page = await begin(browser, request)
  return { browser, request, email, page: await browser.follow(await register(browser, page, { email })) }
}

describe('after signing up', () => {
  test('whose device makes none goes straight in', async () => {
    for (const value of ['', 'impossible', 'possible%20', '1'.repeat(5000)]) {
      const browser = newBrowser()
      say(browser, value)
      expect(codeOf((await signUp(browser)).page)).toBeTruthy()
    }
  })

  test('nobody is signed in before the offer is answered; "Not now" goes on, and is remembered for 30 days', async () => {
    const browser = newBrowser()
    say(browser)
    const { page, request, email } = await signUp(browser)
    expect(page.text).toContain(OFFER)
    expect(await isSignedIn(browser, server)).toBe(false)
    const done = await browser.submit(page, '/later')
    const pause = done.headers.getSetCookie().find((cookie) => cookie.startsWith(COOKIE))
    expect(pause).toMatch(/=later;.*httponly/i)
    const days = (Date.parse(/expires=([^;]+)/i.exec(pause!)![1]!) - Date.now()) / 86_400_000
    expect(days).toBeCloseTo(30, 1)
    const { body } = await redeem(server, server.clients.own, {
      request,
      code: codeOf(await browser.follow(done)),
    })
    expect(body.id_token).toBeTruthy()
    const { id } = await userOf(server, email)
    const registered = (await auditTrail(server, 'user.registered')).filter(({ user_id }) => user_id === id)
    expect(registered).toHaveLength(1)
    const later = newBrowser()
    say(later, 'later')
    expect(codeOf((await signUp(later)).page)).toBeTruthy()
  })

  test('the passkey is added on the way, and the person goes in', async () => {
    const browser = newBrowser()
    say(browser)
    const { page, request } = await signUp(browser)
    const adding = await browser.submit(page, '/enrol/passkey/add')
    expect(adding.text).toContain('Not now')
    const { response, ...passkey } = createPasskey(server, adding)
    const added = await browser.submit(adding, '/enrol/passkey/add', { response })
    // It was made, and not yet shown to work.
    const asked = await browser.follow(added)
    expect(asked.text).toContain('Use your passkey')
    const done = await bringPasskey(browser, asked, { ...passkey, action: '/second/passkey' })
    expect(await claimsOf(server, { request, page: done })).toMatchObject({ acr: 'phr' })
  })

  test('what is not offered cannot be set up on the way', async () => {
    const browser = newBrowser()
    say(browser)
    const { page } = await signUp(browser)
    const csrf = csrfIn(page)
    for (const act of ['totp/begin', 'recovery-codes/renew', 'passkey/remove']) {
      const url = `${journeyOf(page)}/enrol/${act}`
      const answer = await browser.send(url, { form: { csrf } })
      expect([303, 404]).toContain(answer.status)
      expect(answer.text).not.toContain('otpauth')
    }
  })
})

describe('on the way to one’s own pages', () => {
  test('nobody is held up: it stands in the profile until it is taken, or put off', async () => {
    const browser = newBrowser()
    say(browser)
    const page = await browser.follow(await browser.get(`${server.issuer}/register`))
    const profile = await browser.follow(await register(browser, page))
    expect(profile.url).toBe(`${server.issuer}/account`)
    expect(profile.text).toContain(OFFER)
    const back = await browser.follow(await browser.submit(profile, '/account/later'))
    expect(back.url).toBe(profile.url)
    expect(back.text).not.toContain(OFFER)
  })

  test('it leads to adding one, and is gone then', async () => {
    const { browser } = await newMember(server)
    say(browser)
    const profile = await browser.get(`${server.issuer}/account`)
    const adding = await browser.submit(profile, '/passkey/add')
    const { response } = createPasskey(server, adding)
    await browser.submit(adding, '/passkey/add', { response })
    expect((await browser.get(`${server.issuer}/account`)).text).not.toContain(OFFER)
  })
})

describe('after a new password', () => {
  const changed = async (before: (browser: Browser) => void) => {
    const member = await newMember(server)
    before(member.browser)
    return { ...member, answer: await changePassword(server, member.browser) }
  }

  test('it is offered with the word that the password is saved', async () => {
    const { browser, answer } = await changed(say)
    const page = await browser.follow(answer)
    expect(page.text).toContain(OFFER)
    expect(page.text).toContain('Your password is saved')
    const back = await browser.follow(await browser.submit(page, '/security/offer'))
    expect(back.url).toBe(`${server.issuer}/account/security`)
    expect((await browser.get(`${server.issuer}/account/security/offer`)).next).toBe(back.url)
  })

  test('and leads to adding one', async () => {
    const { browser, answer } = await changed(say)
    const adding = await browser.submit(await browser.follow(answer), '/passkey/add')
    const { response } = createPasskey(server, adding)
    expect((await browser.submit(adding, '/passkey/add', { response })).status).toBe(303)
  })

  test('it is not offered where it was put off, or where there is one', async () => {
    const off = await changed((browser) => say(browser, 'later'))
    expect(off.answer.next).toBe(`${server.issuer}/account/security`)
    const member = await newMember(server)
    await addPasskey(server, member)
    say(member.browser)
    expect((await member.browser.get(`${server.issuer}/account/security/offer`)).next).toBe(
      `${server.issuer}/account/security`,
    )
  })
})

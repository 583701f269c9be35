// A second factor, asked for on every door.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  letterAbout,
  type Member,
  newBrowser,
  newMember,
  opens,
  remakeSessions,
  withManyLetters,
} from './support/account.ts'
import { codesIn, createAppClock, enrolApp, secretIn } from './support/authenticator-app.ts'
import {
  anotherNetwork,
  type Browser,
  createBrowser,
  csrfIn,
  type Page,
  TRUST_LOOPBACK,
} from './support/browser.ts'
import { codeIn, linkIn } from './support/mailbox.ts'
import {
  auditTrail,
  authorizationRequest,
  begin,
  claimsOf,
  codeOf,
  isSignedIn,
  journeyOf,
  newEmail,
  PASSWORD,
  register,
  signIn,
} from './support/relying-party.ts'
import { STRICT_APP, startServer, type TestServer } from './support/server.ts'
import { startTwins, type Twins } from './support/twins.ts'

let twins: Twins
let server: TestServer
let sibling: TestServer
const { now, nextCode } = createAppClock()

beforeAll(async () => {
  twins = await startTwins({ policy: withManyLetters, now })
  ;({ server, sibling } = twins)
})
afterAll(() => twins.close())

const newPerson = async () => enrolApp(server, await newMember(server), nextCode)

async function open(change: Record<string, string | undefined> = {}, browser = newBrowser()) {
  const request = authorizationRequest(server, server.clients.own, change)
  return { browser, request, page: await begin(browser, request) }
}
const bring = async (browser: Browser, page: Page, code: string, way = 'totp') =>
  browser.follow(await browser.submit(page, `/second/${way}`, { code }))

describe('a person with an authenticator app', () => {
  test('brings its code after the password, and the tokens say so', async () => {
    const { email, secret, id } = await newPerson()
    const { browser, request, page } = await open()
    const asked = await browser.follow(await signIn(browser, page, { email }))
    expect(asked.text).toContain('Authentication code')
    expect(await isSignedIn(browser, server)).toBe(false)
    const done = await bring(browser, asked, nextCode(secret))
    expect(await claimsOf(server, { request, page: done })).toMatchObject({
      sub: id,
      amr: ['pwd', 'otp', 'mfa'],
      acr: 'urn:anteroom:acr:2',
    })
  })

  test('promise a: brings it after a mailed code, and after its link', async () => {
    const { email, secret } = await newPerson()
    // One letter with a code came when the account was made.
    for (const [index, way] of (['code', 'link'] as const).entries()) {
      const { browser, request, page } = await open()
      const asked = await browser.follow(await browser.submit(page, '/method/email-code/begin', { email }))
      const letter = await letterAbout(server, email, { subject: /^\d{6} /, count: index + 2 })
      const proof =
        way === 'code'
          ? await browser.submit(asked, '/method/email-code', { code: codeIn(letter) })
          : await browser.submit(
              await browser.follow(await browser.get(linkIn(letter))),
              '/method/email-code',
            )
      const second = await browser.follow(proof)
      expect(second.text).toContain('Authentication code')
      expect(await isSignedIn(browser, server)).toBe(false)
      const done = await bring(browser, second, nextCode(secret))
      expect(await claimsOf(server, { request, page: done })).toMatchObject({
        amr: ['otp', 'mfa'],
        acr: 'urn:anteroom:acr:2',
      })
    }
  })

  test('a new password by mail opens nothing by itself', async () => {
    const { email } = await newPerson()
    const browser = newBrowser()
    await browser.submit(await browser.get(`${server.issuer}/forgot`), '/forgot', { email })
    const letter = await letterAbout(server, email, { subject: /new .* password/i })
    const password = 'nine purple lanterns by the river'
    const page = await browser.follow(await browser.get(linkIn(letter)))
    expect((await browser.submit(page, '/reset', { password })).status).toBe(200)
    expect(await isSignedIn(browser, server)).toBe(false)
    const { browser: other, page: door } = await open()
    const asked = await other.follow(await signIn(other, door, { email, password }))
    expect(asked.text).toContain('Authentication code')
  })

  test('half signed in reaches nothing: no page of theirs, no code, no other app, no enrolment', async () => {
    const { email } = await newPerson()
    const { browser, page } = await open()
    const asked = await browser.follow(await signIn(browser, page, { email }))
    const csrf = csrfIn(asked)
    expect(await isSignedIn(browser, server)).toBe(false)
    for (const act of ['totp/begin', 'totp/confirm', 'recovery-codes/renew']) {
      const answer = await browser.send(`${journeyOf(asked)}/enrol/${act}`, {
        form: { csrf },
      })
      expect(answer.text).not.toContain('otpauth')
      expect([303, 404]).toContain(answer.status)
    }
    const goOn = await browser.follow(await browser.send(`${journeyOf(asked)}/second`, { form: { csrf } }))
    expect(goOn.text).toContain('Authentication code')
    const other = await begin(browser, authorizationRequest(server, server.clients.third))
    expect(other.text).toContain('Email me a code')
    expect(other.next?.includes('code=') ?? false).toBe(false)
    const resumed = await browser.get(journeyOf(asked).replace('/interaction/', '/auth/'))
    expect(resumed.headers.get('location') ?? '').not.toContain('code=')
  })

  test('T044: wrong, malformed and used codes get the same calm page', async () => {
    const { email, secret } = await newPerson()
    const { browser, page } = await open()
    let asked = await browser.follow(await signIn(browser, page, { email }))
    for (const code of ['', '1', '12345', '1234567', '１２３４５６', '0x1234', '000000']) {
      const refused = await browser.submit(asked, '/second/totp', { code })
      expect(refused.status, code).toBe(422)
      asked = refused
    }
    const code = nextCode(secret)
    expect(codeOf(await bring(browser, asked, code))).toBeTruthy()
    const { browser: other, page: door } = await open()
    const again = await other.follow(await signIn(other, door, { email }))
    expect((await other.submit(again, '/second/totp', { code })).status).toBe(422)
  })

  test('gets in with a recovery code instead, once, and hears of it', async () => {
    const { email, recoveryCodes } = await newPerson()
    expect(recoveryCodes).toHaveLength(10)
    const { browser, page } = await open()
    const asked = await browser.follow(await signIn(browser, page, { email }))
    expect(asked.text).toContain('Use a recovery code')
    const other = await browser.get(`${journeyOf(asked)}/second/recovery-codes`)
    const [code = ''] = recoveryCodes
    const done = await bring(browser, other, code.toLowerCase().replaceAll('-', ' '), 'recovery-codes')
    expect(codeOf(done)).toBeTruthy()
    const { browser: second, page: door } = await open()
    await signIn(second, door, { email })
    const again = await second.get(`${door.url}/second/recovery-codes`)
    expect((await second.submit(again, '/second/recovery-codes', { code })).status).toBe(422)
    const used = await auditTrail(server, 'recovery_codes.used')
    expect(used.length).toBeGreaterThan(0)
  })

  test('d: one code brought to ten pending sign-ins at two instances at once opens exactly one', async () => {
    const { email, secret } = await newPerson()
    const pending = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { browser, page } = await open()
        return { browser, page: await browser.follow(await signIn(browser, page, { email })) }
      }),
    )
    const code = nextCode(secret)
    const answers = await Promise.all(
      pending.map(async ({ browser, page }, index) => {
        const address = index % 2 ? sibling.address : server.address
        const at = createBrowser({ headers: anotherNetwork(), at: address })
        browser.copyJarTo(at)
        const csrf = csrfIn(page)
        const answer = await at.send(`${journeyOf(page)}/second/totp`, {
          form: { csrf, code },
        })
        return answer.status
      }),
    )
    expect(answers.filter((status) => status === 200)).toHaveLength(1)
    // The account's own allowance stops some of them before they are looked at.
    expect(answers.filter((status) => status === 422 || status === 429)).toHaveLength(9)
  })

  test('turns it off with a fresh second factor, and every other session ends', async () => {
    const person = await newPerson()
    const { browser, page } = await open()
    const asked = await browser.follow(await signIn(browser, page, person))
    await bring(browser, asked, nextCode(person.secret))
    expect(await isSignedIn(browser, server)).toBe(true)
    const security = await browser.get(`${server.issuer}/account/security`)
    const off = await browser.submit(security, '/totp/remove')
    expect(off.status).toBe(303)
    expect(off.headers.get('location')).toMatch(/\/account\/security$/)
    expect(await isSignedIn(person.browser, server)).toBe(false)
    expect(await opens(server, person.email, PASSWORD)).toBe(true)
  })
})

describe('a session made with one factor', () => {
  /** As if the person had come in where a device stood in for the app. */
  const lower = (member: Member) =>
    remakeSessions(server, member, { amr: ['pwd'], acr: 'urn:anteroom:acr:1' })

  test('does not open what changes how the person signs in, once they have two', async () => {
    const person = await newPerson()
    await lower(person)
    const security = await person.browser.get(`${server.issuer}/account/security`)
    const answer = await person.browser.submit(security, '/totp/remove')
    const asked = await person.browser.follow(answer)
    expect(asked.text).toContain('Authentication code')
    expect(await opens(server, person.email, PASSWORD)).toBe(false)
    const back = await bring(person.browser, asked, nextCode(person.secret))
    expect(back.url).toContain('/account/security')
  })

  test('is stepped up by the second factor alone when an app asks for it', async () => {
    const person = await newPerson()
    await lower(person)
    const { request, page } = await open({ acr_values: 'urn:anteroom:acr:2' }, person.browser)
    expect(page.text).toContain('Authentication code')
    const done = await bring(person.browser, page, nextCode(person.secret))
    expect(await claimsOf(server, { request, page: done })).toMatchObject({
      acr: 'urn:anteroom:acr:2',
      sub: person.id,
    })
  })
})

test('the session in which an app was set up counts as made with it: nobody is asked again at once', async () => {
  const person = await newPerson()
  const { request, page } = await open({ acr_values: 'urn:anteroom:acr:2' }, person.browser)
  expect(await claimsOf(server, { request, page })).toMatchObject({
    acr: 'urn:anteroom:acr:2',
    amr: ['pwd', 'otp', 'mfa'],
  })
  const security = await person.browser.get(`${server.issuer}/account/security`)
  expect((await person.browser.submit(security, '/totp/remove')).next).toBe(
    `${server.issuer}/account/security`,
  )
})

describe('T098: a request for a class of sign-in', () => {
  const essential = (value: string) => JSON.stringify({ id_token: { acr: { essential: true, value } } })

  test('that the person cannot reach ends in an error when it is essential, and in their best when it is not', async () => {
    const member = await newMember(server)
    const wished = await open({ acr_values: 'phr urn:anteroom:acr:2' }, member.browser)
    expect(await claimsOf(server, wished)).toMatchObject({ acr: 'urn:anteroom:acr:1' })
    const { page } = await open({ claims: essential('urn:anteroom:acr:2') }, member.browser)
    expect(page.next).toContain('error=unmet_authentication_requirements')
  })

  test('that a stronger sign-in meets is told in the client’s own words', async () => {
    const person = await newPerson()
    const { browser, page } = await open()
    const asked = await browser.follow(await signIn(browser, page, person))
    await bring(browser, asked, nextCode(person.secret))
    const { request, page: done } = await open({ claims: essential('urn:anteroom:acr:1') }, browser)
    expect(await claimsOf(server, { request, page: done })).toMatchObject({ acr: 'urn:anteroom:acr:1' })
  })

  test('is answered in its own words at the first sign-in too, and the session keeps the truth', async () => {
    const person = await newPerson()
    const { browser, request, page } = await open({ acr_values: 'urn:anteroom:acr:1' })
    const asked = await browser.follow(await signIn(browser, page, person))
    const done = await bring(browser, asked, nextCode(person.secret))
    expect(await claimsOf(server, { request, page: done })).toMatchObject({
      acr: 'urn:anteroom:acr:1',
      amr: ['pwd', 'otp', 'mfa'],
    })
    const later = await open({ claims: essential('urn:anteroom:acr:2') }, browser)
    expect(await claimsOf(server, later)).toMatchObject({ acr: 'urn:anteroom:acr:2' })
  })

  test('other claims are asked for by scope: those that are not given are no error', async () => {
    const member = await newMember(server)
    const claims = JSON.stringify({ id_token: { email: { essential: true } }, userinfo: { name: null } })
    const { request, page } = await open({ claims, scope: 'openid' }, member.browser)
    expect(await claimsOf(server, { request, page })).not.toHaveProperty('email')
  })
})

describe('T052: where everybody must have a second factor', () => {
  let strict: TestServer
  beforeAll(async () => {
    strict = await startServer({
      settings: TRUST_LOOPBACK,
      now,
      policy: (policy) => ({ ...policy, factors: { ...policy.factors, second_factor_for: 'everyone' } }),
    })
  })
  afterAll(() => strict.close())

  test('a new person sets one up on the way, sees the recovery codes, and only then goes in', async () => {
    const browser = newBrowser()
    const request = authorizationRequest(strict, strict.clients.own)
    const asked = await register(browser, await begin(browser, request), { email: newEmail() })
    expect(asked.text).toContain('Set up authenticator app')
    expect((await browser.get(`${strict.issuer}/account`)).status).toBe(303)
    const setup = await browser.submit(asked, '/enrol/totp/begin')
    expect(setup.text).toContain('Set up something else')
    const shown = await browser.submit(setup, '/enrol/totp/confirm', { code: nextCode(secretIn(setup)) })
    expect(codesIn(shown)).toHaveLength(10)
    expect((await browser.get(`${strict.issuer}/account`)).status).toBe(303)
    const ready = await browser.get(journeyOf(asked))
    const done = await browser.follow(await browser.submit(ready, '/second'))
    expect(await claimsOf(strict, { request, page: done })).toMatchObject({
      acr: 'urn:anteroom:acr:2',
      amr: ['pwd', 'otp', 'mfa'],
    })
  })

  test('a session alone sets nothing up: whoever stole one would bind their own app to the account', async () => {
    const lax = await startServer({ settings: TRUST_LOOPBACK, now, clients: [STRICT_APP] })
    try {
      const { browser } = await newMember(lax)
      const asked = await begin(browser, authorizationRequest(lax, STRICT_APP))
      expect(asked.text).toContain('name="password"')
      const csrf = csrfIn(asked)
      const answer = await browser.send(`${asked.url}/enrol/totp/begin`, { form: { csrf } })
      expect(answer.status).toBe(303)
      expect(answer.text).not.toContain('otpauth')
    } finally {
      await lax.close()
    }
  })

  test('leaving and coming back, by another app or with prompt=create, skips nothing', async () => {
    const browser = newBrowser()
    const email = newEmail()
    await register(browser, await begin(browser, authorizationRequest(strict, strict.clients.own)), { email })
    for (const change of [{}, { prompt: 'create' }, { prompt: 'none' }]) {
      const page = await begin(browser, authorizationRequest(strict, strict.clients.spa, change))
      expect(page.next?.includes('code=') ?? false).toBe(false)
    }
    const again = await begin(browser, authorizationRequest(strict, strict.clients.own))
    const asked = await browser.follow(await signIn(browser, again, { email }))
    expect(asked.text).toContain('Set up authenticator app')
  })
})

// A second factor, asked for on every door.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { halfWay, letterAbout, newBrowser, newMember, opens, withManyLetters } from './support/account.ts'
import { createAppClock, enrolApp } from './support/authenticator-app.ts'
import { anotherNetwork, type Browser, createBrowser, csrfIn, type Page } from './support/browser.ts'
import { codeIn, linkIn } from './support/mailbox.ts'
import {
  auditTrail,
  authorizationRequest,
  begin,
  claimsOf,
  codeOf,
  isSignedIn,
  journeyOf,
  PASSWORD,
  signIn,
} from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'
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

async function open() {
  const browser = newBrowser()
  const request = authorizationRequest(server, server.clients.own)
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
    const { page: asked } = await halfWay(server, { email, password })
    expect(asked.text).toContain('Authentication code')
  })

  test('half signed in reaches nothing: no page of theirs, no code, no other app, no enrolment', async () => {
    const { email } = await newPerson()
    const { browser, page: asked } = await halfWay(server, { email })
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
    const { browser, page } = await halfWay(server, { email })
    let asked = page
    for (const code of ['', '1', '12345', '1234567', '１２３４５６', '0x1234', '000000']) {
      const refused = await browser.submit(asked, '/second/totp', { code })
      expect(refused.status, code).toBe(422)
      asked = refused
    }
    const code = nextCode(secret)
    expect(codeOf(await bring(browser, asked, code))).toBeTruthy()
    const { browser: other, page: again } = await halfWay(server, { email })
    expect((await other.submit(again, '/second/totp', { code })).status).toBe(422)
  })

  test('gets in with a recovery code instead, once, and hears of it', async () => {
    const { email, recoveryCodes } = await newPerson()
    expect(recoveryCodes).toHaveLength(10)
    const { browser, page: asked } = await halfWay(server, { email })
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
    const pending = await Promise.all(Array.from({ length: 10 }, () => halfWay(server, { email })))
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
    const { browser, page: asked } = await halfWay(server, person)
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

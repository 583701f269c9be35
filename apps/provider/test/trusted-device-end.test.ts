// How a browser stops standing in for the second factor: whatever changes how a person signs in, and a button.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ageProof,
  changeAddress,
  changePassword,
  FOREIGN,
  NEW_PASSWORD,
  newBrowser,
  newMember,
  type Pair,
  reset,
  resetLink,
  startAccountPair,
  startAccountServer,
} from './support/account.ts'
import { createAuthenticator, optionsIn } from './support/authenticator.ts'
import { createAppClock, type Enrolled, enrolApp } from './support/authenticator-app.ts'
import { anotherNetwork, type Browser, createBrowser, formsOf, type Page } from './support/browser.ts'
import { arrive, asks, trustBrowser, withTrust } from './support/devices.ts'
import { auditTrail, codeOf, isSignedIn, newEmail } from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

const { now, nextCode } = createAppClock()

let pair: Pair
/** Each request reaches another instance than the one before. */
let server: TestServer
beforeAll(async () => {
  pair = await startAccountPair({ policy: withTrust(), now })
  server = pair.server
})
afterAll(() => pair.close())

const security = (browser: Browser, at = server) => browser.get(`${at.issuer}/account/security`)
const trust = (person: Enrolled, browser = newBrowser()) =>
  trustBrowser(server, person, { browser, nextCode })

/** `trusted`: a browser that is; `browser`: another one, in which the person has just brought their second factor. */
async function newTrusted() {
  const person = await enrolApp(server, await newMember(server), nextCode)
  const trusted = await trust(person)
  const { browser, page } = await arrive(server, person.email)
  codeOf(await browser.follow(await browser.submit(page, '/second/totp', { code: nextCode(person.secret) })))
  return { ...person, browser, trusted }
}

describe('T038, T051: it ends with', () => {
  /** The password and the address from then on, where they are others. */
  type Changed = { password?: string; email?: string }
  test.each<[string, (person: Enrolled) => Promise<Changed>]>([
    [
      'a new password',
      async ({ browser }) => {
        await changePassword(server, browser)
        return { password: NEW_PASSWORD }
      },
    ],
    [
      'a reset',
      async ({ email }) => {
        await reset(await resetLink(server, email))
        return { password: NEW_PASSWORD }
      },
    ],
    [
      'another app',
      async (person) => {
        await enrolApp(server, person, nextCode)
        return {}
      },
    ],
    [
      'the app turned off and on',
      async (person) => {
        await person.browser.submit(await security(person.browser), '/totp/remove')
        await enrolApp(server, person, nextCode)
        return {}
      },
    ],
    [
      'new recovery codes',
      async ({ browser }) => {
        const page = await browser.submit(await security(browser), '/recovery-codes/renew')
        expect(page.status).toBe(200)
        return {}
      },
    ],
    [
      'a new address',
      async ({ browser }) => {
        const email = newEmail()
        expect((await changeAddress(server, browser, email)).status).toBe(303)
        return { email }
      },
    ],
  ])('%s', async (_, change) => {
    const person = await newTrusted()
    expect(await asks(server, person.email, { browser: person.trusted })).toBe(false)
    const { email = person.email, ...password } = await change(person)
    expect(await asks(server, email, { browser: person.trusted, ...password })).toBe(true)
    expect((await security(person.browser)).text).not.toContain('Forget this device')
  })
})

describe('with a passkey as the second step', () => {
  let own: TestServer
  /** Its challenges are dated by the database's clock. */
  beforeAll(async () => {
    own = await startAccountServer({ policy: withTrust() })
  })
  afterAll(() => own.close())

  async function addPasskey(browser: Browser) {
    const page = await browser.submit(await security(browser, own), '/passkey/add')
    const authenticator = createAuthenticator({ origin: own.issuer })
    const { held, answer } = authenticator.create(optionsIn(page))
    const added = await browser.submit(page, '/passkey/add', { response: JSON.stringify(answer) })
    expect(added.status).toBe(303)
    return { held, authenticator }
  }

  test('a browser is trusted in the same way, until another one is added', async () => {
    const { browser: home, email } = await newMember(own)
    const { held, authenticator } = await addPasskey(home)
    const { browser, page } = await arrive(own, email)
    const bring = (asked: Page, more: Record<string, string> = {}) =>
      browser.submit(asked, '/second/passkey', {
        response: JSON.stringify(authenticator.get(optionsIn(asked), held)),
        ...more,
      })
    codeOf(await browser.follow(await bring(page, { trust: 'on' })))
    await addPasskey(browser)
    expect(await asks(own, email, { browser })).toBe(true)

    const again = await arrive(own, email, { browser })
    codeOf(await browser.follow(await bring(again.page, { trust: 'on' })))
    expect(await asks(own, email, { browser })).toBe(false)
  })
})

describe('the page of a person', () => {
  const CHROME =
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
  const idsIn = (page: Page) =>
    formsOf(page)
      .filter(({ action }) => action.endsWith('/devices/forget'))
      .map(({ fields }) => fields['id']!)

  test('names the browsers, which one is this, and forgets one at once and everywhere', async () => {
    const person = await newTrusted()
    const chrome = createBrowser({ headers: { ...anotherNetwork(), 'user-agent': CHROME } })
    await trust(person, chrome)
    const page = await security(chrome)
    expect(page.text).toContain('Chrome on Windows')
    expect(page.text.match(/This browser/g)).toHaveLength(1)
    expect(page.text).toMatch(/until <time datetime="\d{4}-/)
    const [newest, older, ...rest] = idsIn(page)
    expect(rest).toEqual([])

    const done = await chrome.follow(await chrome.submit(page, '/devices/forget', { id: older! }))
    expect(done.text).toContain('That device is asked for the second step again.')
    expect(idsIn(done)).toEqual([newest])
    for (const _ of ['one instance', 'the other'])
      expect(await asks(server, person.email, { browser: person.trusted })).toBe(true)
    expect(await asks(server, person.email, { browser: chrome })).toBe(false)
    const events = await auditTrail(server, 'device.forgotten')
    expect(events.filter(({ user_id }) => user_id === person.id)).toMatchObject([
      { data: { deviceId: older } },
    ])
  })

  test('forgets all of them, and signs nobody out', async () => {
    const person = await newTrusted()
    await trust(person)
    const page = await security(person.trusted)
    const done = await person.trusted.follow(await person.trusted.submit(page, '/devices/forget-all'))
    expect(done.text).toContain('Every device is asked for the second step again.')
    expect(done.text).toContain('You have not done so in any.')
    expect(await isSignedIn(person.trusted, server)).toBe(true)
    expect(await asks(server, person.email, { browser: person.trusted })).toBe(true)
    const events = await auditTrail(server, 'device.forgotten')
    expect(events.filter(({ user_id }) => user_id === person.id)).toHaveLength(2)
  })

  test('needs no fresh proof for that', async () => {
    const person = await newTrusted()
    await ageProof(server, person.id, 600)
    const done = await person.trusted.submit(await security(person.trusted), '/devices/forget')
    expect([done.status, done.next]).toEqual([303, `${server.issuer}/account/security`])
    expect(await asks(server, person.email, { browser: person.trusted })).toBe(true)
  })

  test('forgets nobody else’s device, and nothing that is none', async () => {
    const [person, other] = [await newTrusted(), await newTrusted()]
    const page = await security(person.browser)
    const [foreign] = idsIn(await security(other.browser))
    const { rows } = await server.database.pool.query(
      `select id from credentials where user_id = $1 and type = 'totp'`,
      [person.id],
    )
    for (const id of [foreign!, rows[0].id, '', 'crd_nothing', 'x'.repeat(1000)])
      expect((await person.browser.submit(page, '/devices/forget', { id })).status, id).toBe(404)
    expect(await asks(server, other.email, { browser: other.trusted })).toBe(false)
    expect(await asks(server, person.email)).toBe(true)
  })

  test('forgets nothing for another site, or for whoever is not signed in', async () => {
    const person = await newTrusted()
    const page = await security(person.browser)
    for (const { action, fields } of formsOf(page).filter(({ action }) => action.includes('/devices/'))) {
      for (const headers of FOREIGN)
        expect((await person.browser.send(action, { form: fields, headers })).status).toBe(403)
      expect((await person.browser.send(action, { form: { ...fields, csrf: 'x' } })).status).toBe(403)
      expect((await newBrowser().send(action, { form: fields })).status).toBe(403)
    }
    expect(await asks(server, person.email, { browser: person.trusted })).toBe(false)
  })
})

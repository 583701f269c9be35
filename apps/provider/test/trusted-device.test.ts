// A browser that stands in for the second factor (decision 016).
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newBrowser, newMember, type Pair, startAccountPair, startAccountServer } from './support/account.ts'
import { createAppClock, type Enrolled, enrolApp } from './support/authenticator-app.ts'
import type { Browser } from './support/browser.ts'
import { arrive, asks, DEVICE, isAsked, offersTrust, trustBrowser, withTrust } from './support/devices.ts'
import { auditTrail, authorizationRequest, begin, claimsOf, codeOf } from './support/relying-party.ts'
import { STRICT_APP, type TestServer } from './support/server.ts'

const { now, nextCode } = createAppClock()

let pair: Pair
/** Each request reaches another instance than the one before. */
let server: TestServer
beforeAll(async () => {
  pair = await startAccountPair({ policy: withTrust(), now, clients: [STRICT_APP] })
  server = pair.server
})
afterAll(() => pair.close())

const newPerson = async (at = server): Promise<Enrolled> => enrolApp(at, await newMember(at), nextCode)
const trust = (person: Enrolled, browser = newBrowser()) =>
  trustBrowser(server, person, { browser, nextCode })
async function newTrusted() {
  const person = await newPerson()
  return { ...person, browser: await trust(person) }
}
describe('where the setting is off, as it is by default', () => {
  test('nothing is offered, and a posted wish is ignored', async () => {
    const off = await startAccountServer({ now })
    try {
      const person = await newPerson(off)
      const { browser, page } = await arrive(off, person.email)
      expect([isAsked(page), offersTrust(page)]).toEqual([true, false])
      const fields = { code: nextCode(person.secret), trust: 'on' }
      codeOf(await browser.follow(await browser.submit(page, '/second/totp', fields)))
      expect([...browser.jar.keys()].filter((key) => key.startsWith(DEVICE))).toEqual([])
      expect(await asks(off, person.email, { browser })).toBe(true)
      expect(await auditTrail(off, 'device.%')).toEqual([])
      const security = await person.browser.get(`${off.issuer}/account/security`)
      expect(security.text).not.toContain('Trusted devices')
    } finally {
      await off.close()
    }
  })
})

describe('a trusted browser', () => {
  test('is not asked again, and what the app is told is one factor', async () => {
    const person = await newPerson()
    const first = await arrive(server, person.email)
    expect(offersTrust(first.page)).toBe(true)
    expect(first.page.text).toContain('Don’t ask for the second step on this device for 30 days')
    const fields = { code: nextCode(person.secret), trust: 'on' }
    first.page = await first.browser.follow(await first.browser.submit(first.page, '/second/totp', fields))
    expect(await claimsOf(server, first)).toMatchObject({ acr: 'urn:anteroom:acr:2' })

    const again = await arrive(server, person.email, { browser: first.browser })
    expect(isAsked(again.page)).toBe(false)
    expect(await claimsOf(server, again)).toMatchObject({ acr: 'urn:anteroom:acr:1', amr: ['pwd'] })
    const events = await auditTrail(server, 'device.trusted')
    expect(events.filter(({ user_id }) => user_id === person.id)).toHaveLength(1)
  })

  test('T051: is this one alone, for this person alone', async () => {
    const { email, browser } = await newTrusted()
    const other = await newPerson()
    expect(await asks(server, email)).toBe(true)
    expect(await asks(server, other.email, { browser })).toBe(true)
    expect(await asks(server, email, { browser })).toBe(false)
  })

  test('may be two people’s', async () => {
    const { email, browser } = await newTrusted()
    const other = await newPerson()
    await trust(other, browser)
    expect(await asks(server, email, { browser })).toBe(false)
    expect(await asks(server, other.email, { browser })).toBe(false)
  })

  test('is asked again when the time is over', async () => {
    const { id, email, browser } = await newTrusted()
    const age = (days: number) =>
      server.database.pool.query(
        `update credentials set created_at = created_at - $1 * interval '1 day' where user_id = $2`,
        [days, id],
      )
    await age(29)
    expect(await asks(server, email, { browser })).toBe(false)
    await age(1)
    expect(await asks(server, email, { browser })).toBe(true)
  })

  test('without the tick it is none; with it, a wrong code does not lose it', async () => {
    const { email, secret } = await newPerson()
    const { browser, page } = await arrive(server, email)
    const wrong = await browser.submit(page, '/second/totp', { code: '000000', trust: 'on' })
    expect(wrong.status).toBe(422)
    expect(wrong.text).toMatch(/name="trust"[^>]* checked/)
    expect(page.text).not.toMatch(/name="trust"[^>]* checked/)
    codeOf(await browser.follow(await browser.submit(page, '/second/totp', { code: nextCode(secret) })))
    expect(await asks(server, email, { browser })).toBe(true)
  })

  test('a recovery code makes none', async () => {
    const { email, recoveryCodes } = await newPerson()
    const { browser, page } = await arrive(server, email)
    const way = await browser.get(`${page.url.replace(/\/second.*$/, '')}/second/recovery-codes`)
    expect(offersTrust(way)).toBe(false)
    const fields = { code: recoveryCodes[0]!, trust: 'on' }
    codeOf(await browser.follow(await browser.submit(way, '/second/recovery-codes', fields)))
    expect(await asks(server, email, { browser })).toBe(true)
  })

  test('what somebody planted in it before stays worthless', async () => {
    const thief = await newPerson()
    const theirs = await trust(thief)
    const victim = await newPerson()
    const browser = newBrowser()
    for (const [key, cookie] of theirs.jar) if (key.startsWith(DEVICE)) browser.jar.set(key, cookie)
    await trust(victim, browser)
    expect(await asks(server, victim.email, { browser: theirs })).toBe(true)
    expect(await asks(server, victim.email, { browser })).toBe(false)
  })
})

describe('T051: a cookie is refused that', () => {
  const KEY = `${DEVICE}|/`
  const SIGNATURE = `${DEVICE}.sig|/`
  const edit = (browser: Browser, key: string, change: (value: string) => string) => {
    const cookie = browser.jar.get(key)!
    browser.jar.set(key, { ...cookie, value: change(cookie.value) })
  }
  const flip = (value: string) => (value.startsWith('A') ? 'B' : 'A') + value.slice(1)
  test.each<[string, (browser: Browser, other: Browser) => void]>([
    ['was edited', (browser) => edit(browser, KEY, flip)],
    ['was cut', (browser) => edit(browser, KEY, (value) => value.slice(0, -1))],
    ['was added to', (browser) => edit(browser, KEY, (value) => `${value}.${value}`)],
    ['is not signed', (browser) => browser.jar.delete(SIGNATURE)],
    ['has a forged signature', (browser) => edit(browser, SIGNATURE, flip)],
    [
      'has another one’s signature',
      (browser, other) => browser.jar.set(SIGNATURE, other.jar.get(SIGNATURE)!),
    ],
  ])('%s', async (_, spoil) => {
    const { email, browser } = await newTrusted()
    expect(await asks(server, email, { browser })).toBe(false)
    spoil(browser, (await newTrusted()).browser)
    expect(await asks(server, email, { browser })).toBe(true)
  })
})

describe('it does not stand in', () => {
  const essential = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:anteroom:acr:2' } } })
  test.each([
    ['for prompt=login', { change: { prompt: 'login' } }],
    ['for max_age', { change: { max_age: '86400' } }],
    ['for acr_values', { change: { acr_values: 'urn:anteroom:acr:2' } }],
    ['for an essential acr', { change: { claims: essential } }],
    ['for an app that requires a second factor', { client: STRICT_APP }],
  ])('%s, and is not offered there', async (_, where) => {
    const { email, browser } = await newTrusted()
    const { page } = await arrive(server, email, { browser, ...where })
    expect([isAsked(page), offersTrust(page)]).toEqual([true, false])
  })

  test('in a session that it let in, once a fresh proof is asked for', async () => {
    const { email, secret, browser } = await newTrusted()
    await arrive(server, email, { browser })
    const visit = (change: Record<string, string>) =>
      begin(browser, authorizationRequest(server, server.clients.own, change))
    codeOf(await visit({}))
    const asked = await visit({ max_age: '86400' })
    expect([isAsked(asked), offersTrust(asked)]).toEqual([true, false])
    codeOf(await browser.follow(await browser.submit(asked, '/second/totp', { code: nextCode(secret) })))
    codeOf(await visit({ max_age: '86400' }))
  })

  test('for what changes an account', async () => {
    const { email, browser } = await newTrusted()
    await arrive(server, email, { browser })
    for (const path of ['/account/security/password', '/account/address'])
      expect(isAsked(await browser.follow(await browser.get(server.issuer + path))), path).toBe(true)
  })
})

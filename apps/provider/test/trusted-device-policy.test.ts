// Browsers that stand in for the second factor, where policies make it harder: everybody must have one, or one counts no more.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newBrowser, newMember, startAccountServer } from './support/account.ts'
import { createAppClock, enrolApp, secretIn } from './support/authenticator-app.ts'
import { csrfIn } from './support/browser.ts'
import { createTestDatabase } from './support/database.ts'
import { arrive, asks, isAsked, offersTrust, trustBrowser, withTrust } from './support/devices.ts'
import { authorizationRequest, begin, claimsOf, codeOf, newEmail, register } from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

const { now, nextCode } = createAppClock()

describe('where everybody must have a second factor', () => {
  let strict: TestServer
  beforeAll(async () => {
    const policy = withTrust({ second_factor_for: 'everyone' })
    strict = await startAccountServer({ policy, now })
  })
  afterAll(() => strict.close())

  /** Somebody who set an app up on the way in. */
  async function newcomer() {
    const browser = newBrowser()
    const email = newEmail()
    const request = authorizationRequest(strict, strict.clients.own)
    const asked = await register(browser, await begin(browser, request), { email })
    const setup = await browser.submit(asked, '/enrol/totp/begin')
    const secret = secretIn(setup)
    await browser.submit(setup, '/enrol/totp/confirm', { code: nextCode(secret) })
    const ready = await browser.get(asked.url.replace(/\/register$/, ''))
    codeOf(await browser.follow(await browser.submit(ready, '/second')))
    return { email, secret }
  }

  test('a trusted browser is let in, and at the next app too, until it is forgotten', async () => {
    const person = await newcomer()
    const browser = await trustBrowser(strict, person, { nextCode })
    const arrival = await arrive(strict, person.email, { browser })
    expect(await claimsOf(strict, arrival)).toMatchObject({ acr: 'urn:anteroom:acr:1', amr: ['pwd'] })
    const visit = () => begin(browser, authorizationRequest(strict, strict.clients.own))
    codeOf(await visit())
    const security = await browser.get(`${strict.issuer}/account/security`)
    await browser.submit(security, '/devices/forget')
    const asked = await visit()
    expect([isAsked(asked), offersTrust(asked)]).toEqual([true, true])
    const fields = { code: nextCode(person.secret), trust: 'on' }
    codeOf(await browser.follow(await browser.submit(asked, '/second/totp', fields)))
    expect(await asks(strict, person.email, { browser })).toBe(false)
  })

  test('one that is trusted meanwhile lets nobody on who has proved nothing in this journey', async () => {
    const person = await newcomer()
    const browser = await trustBrowser(strict, person, { nextCode })
    await arrive(strict, person.email, { browser })
    await browser.submit(await browser.get(`${strict.issuer}/account/security`), '/devices/forget-all')
    const waiting = await begin(browser, authorizationRequest(strict, strict.clients.own))
    const other = await begin(browser, authorizationRequest(strict, strict.clients.own))
    const fields = { code: nextCode(person.secret), trust: 'on' }
    codeOf(await browser.follow(await browser.submit(other, '/second/totp', fields)))
    expect(isAsked(await browser.get(waiting.url))).toBe(true)
    const csrf = csrfIn(waiting)
    const goOn = await browser.follow(await browser.send(`${waiting.url}/second`, { form: { csrf } }))
    expect(isAsked(goOn)).toBe(true)
  })
})

describe('where a factor of somebody counts no more', () => {
  let before: TestServer
  let after: TestServer
  let drop: () => Promise<void>
  beforeAll(async () => {
    const place = await createTestDatabase()
    const shared = { database: await place.open(), secretKey: randomBytes(32), now }
    before = await startAccountServer({ ...shared, policy: withTrust() })
    after = await startAccountServer({ ...shared, policy: withTrust({ accepted: ['passkey'] }) })
    drop = () => place.drop()
  })
  afterAll(async () => {
    await before.close()
    await after.close()
    await drop()
  })

  const newPerson = async () => enrolApp(before, await newMember(before), nextCode)

  test('it is asked for once at a request for a fresh proof, and not for ever', async () => {
    const { email, secret } = await newPerson()
    const { browser, page } = await arrive(after, email, { change: { max_age: '3600' } })
    expect([isAsked(page), offersTrust(page)]).toEqual([true, false])
    codeOf(await browser.follow(await browser.submit(page, '/second/totp', { code: nextCode(secret) })))
  })

  test('a trusted browser lets them in, and no further than that: a sensitive act still asks for the factor', async () => {
    const person = await newPerson()
    const browser = await trustBrowser(before, person, { nextCode })
    codeOf((await arrive(after, person.email, { browser })).page)
    const act = () => browser.get(`${after.issuer}/account/security/password`).then(browser.follow)
    const asked = await act()
    expect([isAsked(asked), offersTrust(asked)]).toEqual([true, false])
    await browser.follow(await browser.submit(asked, '/second/totp', { code: nextCode(person.secret) }))
    expect((await act()).text).toContain('Change password')
  })
})

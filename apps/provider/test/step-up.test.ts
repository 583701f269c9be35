// A session that is not as strong as an app or an act asks for (OpenID Connect Core, sections 3.1.2.1 and 5.5.1.1).
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Member,
  newBrowser,
  newMember,
  opens,
  remakeSessions,
  startAccountServer,
} from './support/account.ts'
import { createAppClock, enrolApp } from './support/authenticator-app.ts'
import type { Browser, Page } from './support/browser.ts'
import { authorizationRequest, begin, claimsOf, PASSWORD, signIn } from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

const { now, nextCode } = createAppClock()
let server: TestServer
beforeAll(async () => {
  server = await startAccountServer({ now })
})
afterAll(() => server.close())

const newPerson = async () => enrolApp(server, await newMember(server), nextCode)

async function open(change: Record<string, string | undefined> = {}, browser = newBrowser()) {
  const request = authorizationRequest(server, server.clients.own, change)
  return { browser, request, page: await begin(browser, request) }
}
const bring = async (browser: Browser, page: Page, code: string) =>
  browser.follow(await browser.submit(page, '/second/totp', { code }))

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

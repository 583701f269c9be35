// The phone is gone, and with it the passkey and the app: a code from paper opens what has to be replaced.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ageProof, newBrowser, newMember, startAccountServer } from './support/account.ts'
import { createAppClock, enrolApp } from './support/authenticator-app.ts'
import { addPasskey } from './support/holders.ts'
import {
  authorizationRequest,
  begin,
  claimsIn,
  codeOf,
  journeyOf,
  redeem,
  signIn,
} from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

const { now, nextCode } = createAppClock()
let server: TestServer
beforeAll(async () => {
  server = await startAccountServer({ now })
})
afterAll(() => server.close())

const newPerson = async () => {
  const person = await enrolApp(server, await newMember(server), nextCode)
  // The app alone would not do from now on.
  return { ...person, ...(await addPasskey(server, person)) }
}

/** Signs in with the password and the paper. */
async function comeIn({ email, code }: { email: string; code: string }) {
  const browser = newBrowser()
  const request = authorizationRequest(server, server.clients.own)
  const page = await begin(browser, request)
  await browser.follow(await signIn(browser, page, { email }))
  const form = await browser.get(`${page.url}/second/recovery-codes`)
  const done = await browser.follow(await browser.submit(form, '/second/recovery-codes', { code }))
  return { browser, request, done }
}

test('whoever came in with a recovery code turns off what is lost, the passkey as well as the app', async () => {
  const person = await newPerson()
  const { browser } = await comeIn({ email: person.email, code: person.recoveryCodes[0]! })
  const security = await browser.get(`${server.issuer}/account/security`)
  expect((await browser.submit(security, '/passkey/remove')).next).toBe(`${server.issuer}/account/security`)
  const after = await browser.get(`${server.issuer}/account/security`)
  expect((await browser.submit(after, '/totp/remove')).next).toBe(`${server.issuer}/account/security`)
})

test('later they bring another one, which is offered beside the lost passkey; the app’s code does not do', async () => {
  const person = await newPerson()
  const { browser } = await comeIn({ email: person.email, code: person.recoveryCodes[0]! })
  await ageProof(server, person.id, 11)
  const security = await browser.get(`${server.issuer}/account/security`)
  const door = await browser.follow(await browser.submit(security, '/passkey/remove'))
  const asked = await browser.follow(await signIn(browser, door, person))
  expect(asked.text).toContain('Use a recovery code')
  expect(asked.text).not.toContain('Use your authenticator app')
  const form = await browser.get(`${journeyOf(door)}/second/recovery-codes`)
  const back = await browser.follow(
    await browser.submit(form, '/second/recovery-codes', { code: person.recoveryCodes[1]! }),
  )
  expect(back.url).toContain('/account/security')
  expect((await browser.submit(back, '/passkey/remove')).next).toBe(`${server.issuer}/account/security`)
})

test('apps are told of a code and of two factors, in the registered words', async () => {
  const person = await newPerson()
  const { request, done } = await comeIn({ email: person.email, code: person.recoveryCodes[0]! })
  const { body } = await redeem(server, server.clients.own, { request, code: codeOf(done) })
  for (const token of [body.id_token, body.access_token]) {
    expect(claimsIn(token)).toMatchObject({ acr: 'urn:anteroom:acr:2', amr: ['pwd', 'otp', 'mfa'] })
  }
})

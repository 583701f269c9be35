// What changes an account is done by whoever proved within minutes that it is theirs.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ageProof,
  askForAddress,
  changePassword,
  codeTo,
  NEW_PASSWORD,
  newBrowser,
  newMember,
  opens,
  startAccountServer,
  userOf,
} from './support/account.ts'
import { formsOf, type Page } from './support/browser.ts'
import { isSignedIn, newEmail, PASSWORD, signIn } from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startAccountServer()
})
afterAll(() => server.close())

const PAGES = ['/account/security/password', '/account/address', '/account/address/confirm']
const asksForProof = (page: Page) => page.next?.includes('/auth?') && page.next.includes('max_age=600')

test.each(PAGES)('%s is not shown on an old proof; a new one leads back there', async (path) => {
  const { browser, email, id } = await newMember(server)
  await askForAddress(server, browser, newEmail())
  const url = server.issuer + path
  await ageProof(server, id, 9)
  expect((await browser.get(url)).status).toBe(200)
  await ageProof(server, id, 2)
  const asked = await browser.get(url)
  expect([asked.status, asksForProof(asked)]).toEqual([303, true])

  const door = await browser.follow(asked)
  expect(door.text).toContain('name="password"')
  expect(door.text).toContain(email)
  const back = await signIn(browser, door, { email })
  expect([back.status, back.url]).toEqual([200, url])
})

describe('on an old proof', () => {
  test('no posted password changes anything', async () => {
    const { browser, email, id } = await newMember(server)
    const page = await browser.get(`${server.issuer}/account/security/password`)
    await ageProof(server, id, 11)
    const fields = { 'current-password': PASSWORD, password: NEW_PASSWORD }
    const answer = await browser.submit(page, '/password', fields)
    expect([answer.status, asksForProof(answer)]).toEqual([303, true])
    expect(await opens(server, email, PASSWORD)).toBe(true)
  })

  test('no letter goes to a posted address, and no right code counts', async () => {
    const { browser, email, id } = await newMember(server)
    const form = await browser.get(`${server.issuer}/account/address`)
    const other = newEmail()
    const waiting = await askForAddress(server, browser, other)
    const code = await codeTo(server, other)
    await ageProof(server, id, 11)
    for (const [page, path, fields] of [
      [form, '/address', { email: newEmail() }],
      [waiting, '/confirm', { code }],
    ] as const)
      expect(asksForProof(await browser.submit(page, path, fields))).toBe(true)
    const { fields } = formsOf(waiting).find(({ action }) => action.endsWith('/confirm'))!
    expect(asksForProof(await browser.send(`${waiting.url}/begin`, { form: fields }))).toBe(true)
    expect((await userOf(server, email)).id).toBe(id)

    // The code was not lost by that: it counts once the person has proved who they are.
    const again = await browser.follow(await browser.get(waiting.url))
    const back = await signIn(browser, again, { email })
    expect((await browser.submit(back, '/confirm', { code })).next).toBe(`${server.issuer}/account`)
    expect((await userOf(server, other)).id).toBe(id)
  })

  test('one may still look around, and change one’s name', async () => {
    const { browser, id } = await newMember(server)
    await ageProof(server, id, 60)
    expect((await browser.get(`${server.issuer}/account/security`)).status).toBe(200)
    const page = await browser.get(`${server.issuer}/account`)
    expect((await browser.submit(page, '/account', { name: 'Grace' })).next).toBe(`${server.issuer}/account`)
  })

  test('the sign-in page really asks: the session alone does not lead back', async () => {
    const { browser, id } = await newMember(server)
    await ageProof(server, id, 11)
    const door = await browser.follow(await browser.get(`${server.issuer}/account/address`))
    expect(door.url).toContain('/interaction/')
    const wrong = await browser.submit(door, '/method/password', {
      email: 'x@example.com',
      password: 'wrong',
    })
    expect(wrong.status).toBe(422)
    expect(asksForProof(await browser.get(`${server.issuer}/account/address`))).toBe(true)
    expect(await isSignedIn(browser, server)).toBe(true)
  })

  test('cancelling leads to the profile and not in circles', async () => {
    const { browser, id } = await newMember(server)
    await ageProof(server, id, 11)
    const door = await browser.follow(await browser.get(`${server.issuer}/account/address`))
    const page = await browser.follow(await browser.submit(door, '/cancel'))
    expect([page.status, page.url]).toEqual([200, `${server.issuer}/account`])
  })
})

test('another person’s proof opens that person’s page, and changes nothing of the first', async () => {
  const first = await newMember(server)
  const second = await newMember(server)
  const { browser } = first
  const form = await browser.get(`${server.issuer}/account/security/password`)
  await ageProof(server, first.id, 11)
  const door = await browser.follow(await browser.get(form.url))
  const switching = await signIn(browser, door, { email: second.email })
  const page = await browser.follow(await browser.submit(switching, '/session/end/confirm'))
  expect(page.text).toContain(second.email)
  expect(page.text).not.toContain(first.email)
  await browser.submit(form, '/password', { 'current-password': PASSWORD, password: NEW_PASSWORD })
  expect(await opens(server, first.email, PASSWORD)).toBe(true)
  expect(await opens(server, first.email, NEW_PASSWORD)).toBe(false)
})

test('a code for a new address counts in the session that asked for it alone', async () => {
  const { browser, email } = await newMember(server)
  const other = newEmail()
  await askForAddress(server, browser, other)
  const code = await codeTo(server, other)
  const elsewhere = newBrowser()
  const door = await elsewhere.follow(await elsewhere.get(`${server.issuer}/account/address/confirm`))
  const page = await signIn(elsewhere, door, { email })
  expect((await elsewhere.submit(page, '/confirm', { code })).status).toBe(422)
  expect((await userOf(server, email)).email).toBe(email)
})

test('a changed password counts as no proof for whoever is elsewhere', async () => {
  const person = await newMember(server)
  const thief = newBrowser()
  person.browser.copyJarTo(thief)
  await changePassword(server, person.browser)
  for (const path of PAGES) {
    const answer = await thief.get(server.issuer + path)
    expect([answer.status, answer.next?.includes('/auth?')]).toEqual([303, true])
  }
})

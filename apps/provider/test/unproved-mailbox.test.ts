// Decision 018: whoever signs up with the address of somebody else has that mailbox hear of it once, and of nothing they do.
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  changePassword,
  confirm,
  type Member,
  NEW_PASSWORD,
  newBrowser,
  startAccountServer,
  userOf,
} from './support/account.ts'
import { createAppClock, enrolApp } from './support/authenticator-app.ts'
import { arrive } from './support/devices.ts'
import {
  authorizationRequest,
  begin,
  codeOf,
  newEmail,
  PASSWORD,
  register,
  signIn,
} from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

const { now, nextCode } = createAppClock()

let server: TestServer
beforeAll(async () => {
  server = await startAccountServer({ now })
})
afterAll(() => server.close())

const requestTo = () => authorizationRequest(server, server.clients.own)

/** Signed in, though the mailbox is still to be proved. */
async function newcomer(): Promise<Member> {
  const browser = newBrowser()
  const email = newEmail()
  codeOf(await register(browser, await begin(browser, requestTo()), { email }))
  const { id } = await userOf(server, email)
  return { browser, email, id, refreshToken: '', accessToken: '' }
}

/** Another browser, another password, an app and one of its recovery codes. */
async function doAllThere(person: Member) {
  const stranger = newBrowser()
  await signIn(stranger, await begin(stranger, requestTo()), { email: person.email, password: PASSWORD })
  await changePassword(server, person.browser)
  const { email, recoveryCodes } = await enrolApp(server, person, nextCode)
  const { browser, page } = await arrive(server, email, { password: NEW_PASSWORD })
  const form = await browser.get(`${page.url.replace(/\/(method|second).*$/, '')}/second/recovery-codes`)
  codeOf(
    await browser.follow(await browser.submit(form, '/second/recovery-codes', { code: recoveryCodes[0]! })),
  )
  const security = await browser.get(`${server.issuer}/account/security`)
  expect((await browser.submit(security, '/totp/remove')).status).toBe(303)
}

const lettersOf = async ({ id }: Member) => {
  const letters = await server.database.prisma.letter.findMany({
    where: { userId: id },
    orderBy: { id: 'asc' },
  })
  return letters.map(({ kind }) => kind)
}

test('a mailbox that nobody proved hears nothing of what is done in the account', async () => {
  const person = await newcomer()
  const before = await lettersOf(person)
  expect(before).toHaveLength(1)
  await doAllThere(person)
  expect(await lettersOf(person)).toEqual(before)
})

test('its owner hears of all of it', async () => {
  const person = await newcomer()
  await confirm(server, person.email)
  await doAllThere(person)
  expect(new Set((await lettersOf(person)).slice(1))).toEqual(
    new Set(['new_browser', 'password_changed', 'factor_added', 'recovery_code_used', 'factor_removed']),
  )
})

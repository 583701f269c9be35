import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLog } from '../src/lib/log.ts'
import { createLimits } from '../src/limits/store.ts'
import { canRace } from './races/support/race.ts'
import {
  changePassword,
  FOREIGN,
  letterAbout,
  meetAtRow,
  NEW_PASSWORD,
  newBrowser,
  newMember,
  opens,
  type Pair,
  startAccountPair,
} from './support/account.ts'
import { formsOf } from './support/browser.ts'
import {
  auditTrail,
  authorizationRequest,
  bearer,
  begin,
  isSignedIn,
  PASSWORD,
  refresh,
  signIn,
} from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

let pair: Pair
let server: TestServer
beforeAll(async () => {
  pair = await startAccountPair()
  server = pair.server
})
afterAll(() => pair.close())

const url = () => `${server.issuer}/account/security/password`
const credentials = (userId: string) => server.database.prisma.credential.count({ where: { userId } })

/** Leaves so many tries at the password of this account. */
async function closeIn({ config, database }: TestServer, email: string, left: number) {
  const limits = createLimits(database.pool, config.policy.limits, silentLog)
  const allowance = { limit: 'password_per_account' as const, key: email }
  for (let tries = config.policy.limits.password_per_account[0]!.points; tries > left; tries--)
    await limits.take(allowance)
}

describe('a person who is signed in', () => {
  test('gets a new password with the present one, stays signed in here and nowhere else', async () => {
    const person = await newMember(server)
    const elsewhere = newBrowser()
    await signIn(elsewhere, await begin(elsewhere, authorizationRequest(server, server.clients.own)), person)
    const before = person.browser.jar.get('anteroom_session|/')!.value

    const answer = await changePassword(server, person.browser)
    expect([answer.status, answer.next]).toEqual([303, `${server.issuer}/account/security`])
    expect((await person.browser.follow(answer)).text).toContain('Your password is saved.')
    expect((await person.browser.get(answer.next!)).text).not.toContain('Your password is saved.')

    expect(await isSignedIn(person.browser, server)).toBe(true)
    expect(person.browser.jar.get('anteroom_session|/')!.value).not.toBe(before)
    expect(await isSignedIn(elsewhere, server)).toBe(false)
    expect((await refresh(server, server.clients.own, person.refreshToken)).body.error).toBe('invalid_grant')
    expect(await bearer(server, person.accessToken)).toBe(401)
    expect(await opens(server, person.email, PASSWORD)).toBe(false)
    expect(await opens(server, person.email, NEW_PASSWORD)).toBe(true)
    await letterAbout(server, person.email, { subject: /password/i })
    const trail = await auditTrail(server, 'password.changed')
    expect(trail.filter(({ user_id }) => user_id === person.id)).toMatchObject([{ data: { how: 'changed' } }])
  })

  test.each([{ current: 'wrong' }, { current: '' }, { password: 'short' }, { password: 'password12' }])(
    'changes nothing with %o',
    async (typed) => {
      const { browser, email, id } = await newMember(server)
      const answer = await changePassword(server, browser, typed)
      expect(answer.status).toBe(422)
      expect(answer.text).toContain('There is a problem')
      expect(answer.text).not.toMatch(/type="password" value="[^"]/)
      expect(await opens(server, email, PASSWORD)).toBe(true)
      expect((await auditTrail(server, 'password.changed')).filter(({ user_id }) => user_id === id)).toEqual(
        [],
      )
    },
  )

  test('T012: is refused an endless password before anything is hashed', async () => {
    const { browser, email } = await newMember(server)
    for (const typed of [{ password: 'x'.repeat(10_000) }, { current: 'x'.repeat(10_000) }])
      expect((await changePassword(server, browser, typed)).status).toBe(422)
    expect((await changePassword(server, browser, { password: 'x'.repeat(30_000) })).status).toBe(422)
    expect((await changePassword(server, browser, { password: 'x'.repeat(60_000) })).status).toBe(413)
    expect(await opens(server, email, PASSWORD)).toBe(true)
  })

  test('guesses the present one no more often than at the door', async () => {
    const { browser, email } = await newMember(server)
    const statuses = []
    for (let tries = 0; tries < 12; tries++)
      statuses.push((await changePassword(server, browser, { current: `wrong ${tries}` })).status)
    expect(statuses).toContain(429)
    const refused = await changePassword(server, browser)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await opens(server, email, NEW_PASSWORD)).toBe(false)
  })

  test('whose tries are used up by somebody gets a letter, and a trace is left; what was not a try is none', async () => {
    const { browser, email, id } = await newMember(server)
    for (let tries = 0; tries < 12; tries++)
      expect((await changePassword(server, browser, { current: '' })).status).toBe(422)
    await closeIn(server, email, 1)
    expect((await changePassword(server, browser, { current: 'wrong' })).status).toBe(422)
    expect((await changePassword(server, browser)).status).toBe(429)
    await letterAbout(server, email, { subject: /Too many wrong passwords/ })
    const trail = await auditTrail(server, 'sign_in.locked')
    expect(trail.filter(({ user_id }) => user_id === id)).toMatchObject([{ data: { lock: 'soft' } }])
  })

  test('sets a first password without one to show', async () => {
    const { browser, email, id } = await newMember(server)
    await server.database.prisma.credential.deleteMany({ where: { userId: id } })
    expect((await browser.get(`${server.issuer}/account/security`)).text).toContain('Set a password')
    const page = await browser.get(url())
    expect(page.text).not.toContain('Current password')
    expect((await browser.submit(page, '/password', { password: NEW_PASSWORD })).status).toBe(303)
    expect(await opens(server, email, NEW_PASSWORD)).toBe(true)
    const trail = await auditTrail(server, 'password.changed')
    expect(trail.filter(({ user_id }) => user_id === id)).toMatchObject([{ data: { how: 'set' } }])
  })

  test('gets no second password by the form of somebody who has none', async () => {
    const { browser, email } = await newMember(server)
    const { fields } = formsOf(await browser.get(url())).find(({ action }) => action === url())!
    expect((await browser.send(url(), { form: { ...fields, password: NEW_PASSWORD } })).status).toBe(422)
    expect(await opens(server, email, PASSWORD)).toBe(true)
  })
})

test('T025, T026: nobody else presses the button, by whatever method', async () => {
  const { browser, email } = await newMember(server)
  const { fields } = formsOf(await browser.get(url())).find(({ action }) => action === url())!
  const form = { ...fields, 'current-password': PASSWORD, password: NEW_PASSWORD }
  for (const headers of FOREIGN) expect((await browser.send(url(), { form, headers })).status).toBe(403)
  expect((await browser.send(url(), { form: { ...form, csrf: 'guessed' } })).status).toBe(403)
  const query = `${url()}?${new URLSearchParams({ ...form, _method: 'POST' })}`
  for (const method of ['PUT', 'PATCH', 'DELETE'])
    expect([404, 405]).toContain((await browser.send(query, { method })).status)
  for (const method of ['GET', 'HEAD'])
    await browser.send(query, { method, headers: { 'x-http-method-override': 'POST' } })
  expect(await opens(server, email, PASSWORD)).toBe(true)
})

test.skipIf(!canRace)('of two new passwords at once exactly one counts', async () => {
  const { browser, email, id } = await newMember(server)
  const page = await browser.get(url())
  const passwords = [NEW_PASSWORD, 'four violet kettles by the sea']
  const answers = await meetAtRow(server, { table: 'users', id }, () =>
    passwords.map((password) =>
      browser.submit(page, '/password', { 'current-password': PASSWORD, password }),
    ),
  )
  const statuses = answers.map(({ status }) => status)
  expect(statuses.toSorted()).toEqual([303, 409])
  const winner = statuses.indexOf(303)
  expect(await opens(server, email, passwords[winner]!)).toBe(true)
  expect(await opens(server, email, passwords[1 - winner]!)).toBe(false)
  expect(await credentials(id)).toBe(1)
})

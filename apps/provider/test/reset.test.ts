import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLog } from '../src/lib/log.ts'
import { type Allowance, createLimits } from '../src/limits/store.ts'
import { accountAllowances } from '../src/methods/password/allowances.ts'
import { canRace } from './races/support/race.ts'
import {
  challengeOf,
  changePassword,
  FOREIGN,
  letterAbout,
  meetAtRow,
  NEW_PASSWORD,
  newBrowser,
  newMember,
  openLink,
  opens,
  type Pair,
  RESET,
  reset,
  resetLink,
  startAccountPair,
  userOf,
} from './support/account.ts'
import { anotherNetwork, createBrowser, formsOf } from './support/browser.ts'
import { codeIn, waitForLetter } from './support/mailbox.ts'
import { sendRaw } from './support/raw.ts'
import {
  auditTrail,
  authorizationRequest,
  bearer,
  begin,
  isSignedIn,
  newEmail,
  PASSWORD,
  refresh,
  signIn,
} from './support/relying-party.ts'
import { APP, type TestServer } from './support/server.ts'

let pair: Pair
/** Each request goes to another instance than the one before. */
let server: TestServer
beforeAll(async () => {
  pair = await startAccountPair()
  server = pair.server
})
afterAll(() => pair.close())

const WEAK = 'password12'
const saved = 'Your password is saved'

/** The page of a link that is of no use, and never more. */
async function expectOver(link: string) {
  const page = await openLink(link)
  expect(page.status).toBe(410)
  expect(page.text).toContain('href="/forgot"')
  expect(page.text).not.toContain('name="password"')
}

describe('a reset link', () => {
  test('sets a new password, once', async () => {
    const { email } = await newMember(server)
    const link = await resetLink(server, email)
    expect((await reset(link)).text).toContain(saved)
    expect(await opens(server, email, PASSWORD)).toBe(false)
    expect(await opens(server, email, NEW_PASSWORD)).toBe(true)
    await expectOver(link)
  })

  test('T035: is over once a newer one was asked for', async () => {
    const { email } = await newMember(server)
    const older = await resetLink(server, email)
    const newer = await resetLink(server, email, 2)
    await expectOver(older)
    expect((await reset(newer)).text).toContain(saved)
  })

  test('T035: is over after half an hour, and whoever waited on its page is told so', async () => {
    const { email } = await newMember(server)
    const browser = newBrowser()
    const page = await openLink(await resetLink(server, email), browser)
    await server.database.pool.query(
      `update challenges set expires_at = expires_at - interval '30 minutes' where purpose = 'password_reset'`,
    )
    expect((await browser.submit(page, '/reset', { password: NEW_PASSWORD })).status).toBe(410)
    expect(await opens(server, email, PASSWORD)).toBe(true)
  })

  test('T035: is over once the password has changed by another way', async () => {
    const { browser, email } = await newMember(server)
    const link = await resetLink(server, email)
    expect((await changePassword(server, browser)).next).toBe(`${server.issuer}/account/security`)
    await expectOver(link)
  })

  test('T035: is over once the address has changed', async () => {
    const { browser, email } = await newMember(server)
    const link = await resetLink(server, email)
    const other = newEmail()
    const form = await browser.get(`${server.issuer}/account/address`)
    const asked = await browser.follow(await browser.submit(form, '/address', { email: other }))
    await browser.submit(asked, '/confirm', { code: codeIn(await waitForLetter(server, other)) })
    expect((await userOf(server, other)).email).toBe(other)
    await expectOver(link)
  })

  test('of a disabled account is of no use', async () => {
    const { email, id } = await newMember(server)
    const link = await resetLink(server, email)
    await server.database.prisma.user.update({ where: { id }, data: { disabledAt: new Date() } })
    await expectOver(link)
  })

  test('T033: that a scanner has looked at still works, and gave the scanner nothing', async () => {
    const { email } = await newMember(server)
    const link = await resetLink(server, email)
    const scanner = newBrowser()
    for (const method of ['HEAD', 'GET', 'HEAD', 'GET']) {
      await scanner.send(link, { method })
      await scanner.follow(await scanner.get(link))
    }
    expect(scanner.jar.has('anteroom_session|/')).toBe(false)
    expect((await reset(link)).text).toContain(saved)
  })

  test('T039: leaves the address by 303, and its page tells nobody and keeps nothing', async () => {
    const { email } = await newMember(server)
    const link = await resetLink(server, email)
    const token = new URL(link).searchParams.get('token')!
    const browser = newBrowser()
    const first = await browser.get(link)
    expect([first.status, first.next]).toEqual([303, `${server.issuer}/reset`])
    const page = await browser.follow(first)
    for (const { headers } of [first, page]) {
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('cache-control')).toBe('no-store')
    }
    expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!)
    for (const url of links) expect(new URL(url, page.url).origin).toBe(server.issuer)
    expect(links.filter((url) => url.includes(token))).toEqual([])
    const done = await browser.submit(page, '/reset', { password: NEW_PASSWORD })
    expect(done.text).not.toContain(token)
    expect([...browser.jar.values()].filter(({ value }) => value === token)).toEqual([])
  })

  test('does nothing for another site, or by another method', async () => {
    const { email } = await newMember(server)
    const browser = newBrowser()
    const page = await openLink(await resetLink(server, email), browser)
    const { fields } = formsOf(page)[0]!
    const form = { ...fields, password: NEW_PASSWORD }
    for (const headers of FOREIGN) expect((await browser.send(page.url, { form, headers })).status).toBe(403)
    expect((await newBrowser().send(page.url, { form })).status).toBe(403)
    for (const method of ['PUT', 'PATCH', 'DELETE'])
      expect([404, 405]).toContain((await browser.send(page.url, { form, method })).status)
    await browser.get(`${page.url}?${new URLSearchParams({ ...form, _method: 'POST' })}`)
    expect(await opens(server, email, PASSWORD)).toBe(true)
  })

  test('signs nobody in, and leads on to the app the person came from', async () => {
    const { email } = await newMember(server)
    const browser = newBrowser()
    await begin(browser, authorizationRequest(server, server.clients.own))
    const done = await reset(await resetLink(server, email), NEW_PASSWORD, browser)
    expect(done.text).toContain(`href="${APP}"`)
    expect(await isSignedIn(browser, server)).toBe(false)
    const other = await newMember(server)
    expect((await reset(await resetLink(server, other.email))).text).toContain('href="/sign-in"')
  })
})

describe('a new password', () => {
  test('that is too easy costs nothing: the link still works', async () => {
    const { email } = await newMember(server)
    const link = await resetLink(server, email)
    const browser = newBrowser()
    for (const password of ['', 'short', WEAK, email]) {
      const answer = await reset(link, password, browser)
      expect(answer.status).toBe(422)
      expect(answer.text).toContain('There is a problem')
      expect(answer.text).toMatch(/<input id="password"[^>]*value=""/)
    }
    expect((await reset(link, NEW_PASSWORD, browser)).text).toContain(saved)
  })

  test('T012: that is endless is refused before it is hashed', async () => {
    const { email } = await newMember(server)
    const browser = newBrowser()
    const page = await openLink(await resetLink(server, email), browser)
    const long = await browser.submit(page, '/reset', { password: 'x'.repeat(10_000) })
    expect([long.status, long.text.includes('at most 128')]).toEqual([422, true])
    const cookie = [...browser.jar.values()].map(({ name, value }) => `${name}=${value}`).join('; ')
    const body = new URLSearchParams({ ...formsOf(page)[0]!.fields, password: 'x'.repeat(1_000_000) })
    const headers = {
      cookie,
      host: new URL(server.issuer).host,
      'content-type': 'application/x-www-form-urlencoded',
    }
    const post = { method: 'POST', path: '/reset', headers, body: body.toString() }
    // Whoever sends on is hung up on.
    const endless = await sendRaw(server.address, post).catch(() => ({ status: 413 }))
    expect(endless.status).toBe(413)
    expect(await opens(server, email, PASSWORD)).toBe(true)
  })

  test('T038: ends every session, every refresh token and every sign-in under way, and tells the owner', async () => {
    const { own } = server.clients
    const person = await newMember(server)
    const elsewhere = newBrowser()
    await signIn(elsewhere, await begin(elsewhere, authorizationRequest(server, own)), person)
    const halfway = newBrowser()
    const consent = await signIn(
      halfway,
      await begin(halfway, authorizationRequest(server, server.clients.third)),
      person,
    )
    expect(consent.url).toContain('/interaction/')
    await reset(await resetLink(server, person.email))

    for (const browser of [person.browser, elsewhere]) expect(await isSignedIn(browser, server)).toBe(false)
    expect((await refresh(server, own, person.refreshToken)).body.error).toBe('invalid_grant')
    expect(await bearer(server, person.accessToken)).toBe(401)
    const answer = await halfway.follow(await halfway.submit(consent, '/consent'))
    expect(answer.next ?? '').not.toContain('code=')
    const letter = await letterAbout(server, person.email, { subject: /password/i, count: 2 })
    expect(letter.subject).not.toMatch(RESET)
    const trail = (await auditTrail(server, 'password.changed')).filter(
      ({ user_id }) => user_id === person.id,
    )
    expect(trail).toMatchObject([{ data: { how: 'reset' } }])
  })

  test('is the first one for a person who came by mailed codes', async () => {
    const { email, id } = await newMember(server)
    await server.database.prisma.credential.deleteMany({ where: { userId: id } })
    expect((await reset(await resetLink(server, email))).text).toContain(saved)
    expect(await opens(server, email, NEW_PASSWORD)).toBe(true)
  })

  test('T016: opens an account whose old password nothing but a reset opens any more', async () => {
    const { email } = await newMember(server)
    const limits = createLimits(server.database.pool, server.config.policy.limits, silentLog)
    const [inARow] = accountAllowances(email)
    for (let tries = 0; tries < 100; tries++) await limits.take({ ...inARow!, pace: undefined } as Allowance)
    expect(await opens(server, email, PASSWORD)).toBe(false)
    await reset(await resetLink(server, email))
    expect(await opens(server, email, NEW_PASSWORD)).toBe(true)
  })

  test('opens an account whose old password was locked by wrong tries', async () => {
    const { email } = await newMember(server)
    await Promise.all(Array.from({ length: 12 }, () => opens(server, email, 'wrong')))
    expect(await opens(server, email, PASSWORD)).toBe(false)
    await reset(await resetLink(server, email))
    expect(await opens(server, email, NEW_PASSWORD)).toBe(true)
  })
})

test.skipIf(!canRace)(
  'T040: of two new passwords that one link brings at once to two instances exactly one counts',
  async () => {
    for (let round = 0; round < 4; round++) {
      const { email, id } = await newMember(server)
      const browser = newBrowser()
      const page = await openLink(await resetLink(server, email), browser)
      const passwords = [NEW_PASSWORD, 'four violet kettles by the sea']
      const challenge = await challengeOf(server, 'password_reset', id)
      const answers = await meetAtRow(server, { table: 'challenges', id: challenge.id }, () =>
        passwords.map((password) => browser.submit(page, '/reset', { password })),
      )
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 410])
      const winner = answers.findIndex(({ status }) => status === 200)
      expect(await opens(server, email, passwords[winner]!)).toBe(true)
      expect(await opens(server, email, passwords[1 - winner]!)).toBe(false)
      expect(await server.database.prisma.credential.count({ where: { userId: id } })).toBe(1)
    }
  },
)

test('T041: whoever guesses links is stopped, and nobody else is', async () => {
  const { email } = await newMember(server)
  const link = await resetLink(server, email)
  const browser = createBrowser({ headers: anotherNetwork() })
  for (const path of ['/reset', '/undo']) {
    const guess = () =>
      openLink(`${server.issuer}${path}?token=${randomBytes(32).toString('base64url')}`, browser)
    const statuses = []
    for (let guesses = 0; guesses < 250; guesses++) statuses.push((await guess()).status)
    expect(new Set(statuses.slice(30))).toEqual(new Set([429]))
    expect(Number((await guess()).headers.get('retry-after'))).toBeGreaterThan(0)
  }
  expect((await openLink(link, browser)).status).toBe(429)
  expect((await reset(link)).text).toContain(saved)
})

test('a link of another purpose, or of no shape, opens nothing', async () => {
  for (const token of ['', 'x', `${'A'.repeat(43)}`, "' or 1=1 --", 'A'.repeat(5000)])
    await expectOver(`${server.issuer}/reset?token=${encodeURIComponent(token)}`)
  await expectOver(`${server.issuer}/reset`)
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canRace } from './races/support/race.ts'
import {
  askForAddress,
  CODE,
  challengeOf,
  changeAddress,
  codeTo,
  confirm,
  FOREIGN,
  forget,
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
  undo,
  undoLink,
  userOf,
  wrongCode,
} from './support/account.ts'
import { formsOf, type Page } from './support/browser.ts'
import { lettersTo } from './support/mailbox.ts'
import {
  auditTrail,
  authorizationRequest,
  bearer,
  begin,
  isSignedIn,
  newEmail,
  PASSWORD,
  refresh,
  register,
  signIn,
  signUpAndIn,
} from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

let pair: Pair
let server: TestServer
beforeAll(async () => {
  pair = await startAccountPair()
  server = pair.server
})
afterAll(() => pair.close())

const { own } = { own: () => server.clients.own }
const find = (email: string) => server.database.prisma.user.findUnique({ where: { emailCanonical: email } })

describe('a new address', () => {
  test('counts once its code was brought back; until then tokens and the door know the old one', async () => {
    const { browser, email, refreshToken } = await newMember(server)
    const other = newEmail()
    const page = await askForAddress(server, browser, other)
    expect(page.url).toBe(`${server.issuer}/account/address/confirm`)
    expect((await userOf(server, email)).email).toBe(email)
    const { body } = await refresh(server, own(), refreshToken)
    expect(decodeJwt(body.id_token)).toMatchObject({ email, email_verified: true })

    const code = await codeTo(server, other)
    expect((await browser.submit(page, '/confirm', { code: wrongCode(code) })).status).toBe(422)
    const done = await browser.submit(page, '/confirm', { code: `${code.slice(0, 3)} ${code.slice(3)}` })
    expect(done.next).toBe(`${server.issuer}/account`)
    expect((await browser.follow(done)).text).toContain('Your address is changed.')
    expect(await find(email)).toBeNull()
    expect((await userOf(server, other)).emailVerifiedAt).not.toBeNull()
    expect(await opens(server, other, PASSWORD)).toBe(true)
    expect(await opens(server, email, PASSWORD)).toBe(false)
    expect((await browser.submit(page, '/confirm', { code })).next).toBe(`${server.issuer}/account/address`)
  })

  test('ends every other session and token, and tells the old address how to undo it', async () => {
    const person = await newMember(server)
    const elsewhere = newBrowser()
    await signIn(elsewhere, await begin(elsewhere, authorizationRequest(server, own())), person)
    const other = newEmail()
    await changeAddress(server, person.browser, other)
    expect(await isSignedIn(person.browser, server)).toBe(true)
    expect(await isSignedIn(elsewhere, server)).toBe(false)
    expect((await refresh(server, own(), person.refreshToken)).body.error).toBe('invalid_grant')
    expect(await bearer(server, person.accessToken)).toBe(401)
    const letter = await letterAbout(server, person.email, { subject: /was changed/ })
    expect(letter.text).not.toContain(other)
    expect(letter.text).toContain(`${other[0]}…@example.com`)
    const trail = await auditTrail(server, 'address.changed')
    expect(trail.filter(({ user_id }) => user_id === person.id)).toHaveLength(1)
  })

  test('that has an account looks the same: its owner hears of it, and no code is ever right', async () => {
    const { browser, email } = await newMember(server)
    const owner = await newMember(server)
    const shape = ({ status, text, url }: Page, typed: string) => ({
      status,
      url,
      text: text.replaceAll(typed, 'EMAIL').replace(/name="csrf" value="[^"]+"/g, ''),
    })
    const fresh = newEmail()
    const free = shape(await askForAddress(server, browser, fresh), fresh)
    await codeTo(server, fresh)
    const page = await askForAddress(server, browser, owner.email)
    expect(shape(page, owner.email)).toEqual(free)
    await letterAbout(server, owner.email, { subject: /account/ })
    expect(
      (await lettersTo(server, owner.email)).filter(({ text }) => text.includes('/sign-in')),
    ).toHaveLength(1)
    for (const code of ['000000', '123456'])
      expect((await browser.submit(page, '/confirm', { code })).status).toBe(422)
    expect((await userOf(server, owner.email)).id).toBe(owner.id)
    expect((await userOf(server, email)).email).toBe(email)
  })

  test('that somebody claimed and never confirmed goes to whoever reads its mailbox', async () => {
    const { browser, id } = await newMember(server)
    const { email: claimed } = await signUpAndIn(server, own())
    const page = await askForAddress(server, browser, claimed)
    const code = await codeTo(server, claimed, 2)
    expect((await browser.submit(page, '/confirm', { code })).status).toBe(303)
    expect((await userOf(server, claimed)).id).toBe(id)
  })

  test('is one that can have letters, and another than before', async () => {
    const { browser, email } = await newMember(server)
    for (const typed of ['', 'ada', email, ` ${email.toUpperCase()} `]) {
      const page = await askForAddress(server, browser, typed)
      expect([page.status, page.url]).toEqual([422, `${server.issuer}/account/address`])
    }
  })

  test('has a code that is burnt by five wrong tries; a new one takes its place', async () => {
    const { browser, id } = await newMember(server)
    const other = newEmail()
    const page = await askForAddress(server, browser, other)
    const first = await codeTo(server, other)
    for (let tries = 0; tries < 5; tries++) await browser.submit(page, '/confirm', { code: wrongCode(first) })
    expect((await browser.submit(page, '/confirm', { code: first })).status).toBe(422)
    const { fields } = formsOf(page).find(({ action }) => action.endsWith('/confirm'))!
    expect((await browser.send(`${page.url}/begin`, { form: fields })).next).toBe(page.url)
    const second = await codeTo(server, other, 2)
    expect((await browser.submit(page, '/confirm', { code: first })).status).toBe(
      second === first ? 303 : 422,
    )
    expect((await browser.submit(page, '/confirm', { code: second })).status).toBe(303)
    expect((await userOf(server, other)).id).toBe(id)
  })

  test('of an account nobody confirmed gives the address before no say', async () => {
    const { browser, email } = await signUpAndIn(server, own())
    await changeAddress(server, browser, newEmail())
    const open = { where: { purpose: 'address_undo', binding: email } }
    expect(await server.database.prisma.challenge.count(open)).toBe(0)
    expect((await lettersTo(server, email)).filter(({ subject }) => !CODE.test(subject))).toEqual([])
    const newcomer = newBrowser()
    await register(newcomer, await begin(newcomer, authorizationRequest(server, own())), { email })
    expect((await userOf(server, email)).emailVerifiedAt).toBeNull()
  })

  test('T025: is no business of another site', async () => {
    const { browser, email } = await newMember(server)
    const page = await askForAddress(server, browser, newEmail())
    const form = await browser.get(`${server.issuer}/account/address`)
    for (const each of [page, form]) {
      const { action, fields } = formsOf(each).at(-1)!
      for (const headers of FOREIGN)
        expect((await browser.send(action, { form: { ...fields, email: newEmail() }, headers })).status).toBe(
          403,
        )
      for (const method of ['PUT', 'DELETE'])
        expect([404, 405]).toContain((await browser.send(action, { method })).status)
    }
    expect((await userOf(server, email)).email).toBe(email)
  })
})

describe('a change undone from the old address', () => {
  test('gives it back, signs everybody out, and drops the password that somebody else may know', async () => {
    const person = await newMember(server)
    const other = newEmail()
    await changeAddress(server, person.browser, other)
    const pending = await resetLink(server, other)
    const link = await undoLink(server, person.email)
    const looked = await openLink(link)
    expect(looked.text).toContain(person.email)
    expect(await find(person.email)).toBeNull()

    const browser = newBrowser()
    const done = await undo(link, browser)
    expect(done.status).toBe(200)
    expect(done.text).toContain('href="/forgot"')
    expect((await userOf(server, person.email)).id).toBe(person.id)
    expect(await find(other)).toBeNull()
    expect(await isSignedIn(person.browser, server)).toBe(false)
    expect(await isSignedIn(browser, server)).toBe(false)
    expect((await openLink(pending)).status).toBe(410)
    expect((await openLink(link)).status).toBe(410)
    await letterAbout(server, person.email, { subject: /has its old email address back/ })
    const trail = await auditTrail(server, 'address.change_undone')
    expect(trail.filter(({ user_id }) => user_id === person.id)).toHaveLength(1)
    expect(await opens(server, person.email, PASSWORD)).toBe(false)
    await reset(await resetLink(server, person.email))
    expect(await opens(server, person.email, NEW_PASSWORD)).toBe(true)
  })

  test('wins over every later one, and no later one over it', async () => {
    const { browser, email: a, id } = await newMember(server)
    const [b, c] = [newEmail(), newEmail()]
    await changeAddress(server, browser, b)
    await changeAddress(server, browser, c)
    const [fromA, fromB] = [await undoLink(server, a), await undoLink(server, b)]
    expect((await undo(fromB)).status).toBe(200)
    expect((await userOf(server, b)).id).toBe(id)
    expect((await undo(fromA)).status).toBe(200)
    expect((await userOf(server, a)).id).toBe(id)

    const other = await newMember(server)
    const [d, e] = [newEmail(), newEmail()]
    await changeAddress(server, other.browser, d)
    await changeAddress(server, other.browser, e)
    const [first, second] = [await undoLink(server, other.email), await undoLink(server, d)]
    expect((await undo(first)).status).toBe(200)
    expect((await openLink(second)).status).toBe(410)
    expect((await userOf(server, other.email)).id).toBe(other.id)
  })

  test('finds its address kept: nobody else gets it meanwhile, its own person does', async () => {
    const { browser, email, id } = await newMember(server)
    const other = newEmail()
    await changeAddress(server, browser, other)
    const stranger = await newMember(server)
    const before = (await lettersTo(server, email)).length
    const page = await askForAddress(server, stranger.browser, email)
    expect((await stranger.browser.submit(page, '/confirm', { code: '123456' })).status).toBe(422)
    const newcomer = newBrowser()
    await register(newcomer, await begin(newcomer, authorizationRequest(server, own())), { email })
    expect(await find(email)).toBeNull()
    expect(
      (await lettersTo(server, email)).filter(({ subject }) => CODE.test(subject)).length,
    ).toBeLessThanOrEqual(before)
    const back = await askForAddress(server, browser, email)
    const codes = (await lettersTo(server, email)).filter(({ subject }) => CODE.test(subject)).length
    const code = await codeTo(server, email, Math.max(codes, 2))
    expect((await browser.submit(back, '/confirm', { code })).status).toBe(303)
    expect((await userOf(server, email)).id).toBe(id)
  })

  test('works for a week, and for whoever has the letter alone', async () => {
    const { browser, email, id } = await newMember(server)
    await changeAddress(server, browser, newEmail())
    const link = await undoLink(server, email)
    const page = await openLink(link)
    const { action, fields } = formsOf(page)[0]!
    expect((await newBrowser().send(action, { form: fields })).status).toBe(403)
    const { expiresAt, createdAt } = await challengeOf(server, 'address_undo', email)
    expect(expiresAt.getTime() - createdAt.getTime()).toBe(7 * 24 * 60 * 60 * 1000)
    await server.database.pool.query(`update challenges set expires_at = now() where binding = $1`, [email])
    expect((await openLink(link)).status).toBe(410)
    expect((await server.database.prisma.user.findUnique({ where: { id } }))?.email).not.toBe(email)
  })

  test('of an account that was disabled does nothing', async () => {
    const { browser, email, id } = await newMember(server)
    await changeAddress(server, browser, newEmail())
    const link = await undoLink(server, email)
    await server.database.prisma.user.update({ where: { id }, data: { disabledAt: new Date() } })
    expect((await openLink(link)).status).toBe(410)
  })
})

describe.skipIf(!canRace)('at once at two instances', () => {
  test('two people confirm one address: one gets it, the other is told it cannot be used', async () => {
    const people = [await newMember(server), await newMember(server)]
    const wanted = newEmail()
    const pages: Page[] = []
    const codes: string[] = []
    for (const [index, { browser }] of people.entries()) {
      pages.push(await askForAddress(server, browser, wanted))
      codes.push(await codeTo(server, wanted, index + 1))
    }
    // Each code is its own person's: the first is in the older letter.
    const answers = await Promise.all(
      people.map(({ browser }, index) => browser.submit(pages[index]!, '/confirm', { code: codes[index]! })),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 422])
    const winner = people[answers.findIndex(({ status }) => status === 303)]!
    expect((await userOf(server, wanted)).id).toBe(winner.id)
    expect(answers.find(({ status }) => status === 422)!.text).toContain('cannot be used')
  })

  test('one code, posted twice, changes the address once', async () => {
    const { browser, id } = await newMember(server)
    const other = newEmail()
    const page = await askForAddress(server, browser, other)
    const code = await codeTo(server, other)
    const challenge = await challengeOf(server, 'new_address_code', id)
    const answers = await meetAtRow(server, { table: 'challenges', id: challenge.id }, () =>
      [1, 2].map(() => browser.submit(page, '/confirm', { code })),
    )
    const statuses = answers.map(({ status }) => status).toSorted()
    expect(statuses.filter((status) => status >= 500)).toEqual([])
    const trail = await auditTrail(server, 'address.changed')
    expect(trail.filter(({ user_id }) => user_id === id)).toHaveLength(1)
    expect((await userOf(server, other)).generation).toBe(1)
  })

  test('one undo link, used twice, gives the address back once', async () => {
    const { browser, email, id } = await newMember(server)
    await changeAddress(server, browser, newEmail())
    const visitor = newBrowser()
    const page = await openLink(await undoLink(server, email), visitor)
    const challenge = await challengeOf(server, 'address_undo', email)
    const answers = await meetAtRow(server, { table: 'challenges', id: challenge.id }, () =>
      [1, 2].map(() => visitor.submit(page, '/undo')),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 410])
    const trail = await auditTrail(server, 'address.change_undone')
    expect(trail.filter(({ user_id }) => user_id === id)).toHaveLength(1)
  })

  test('one confirming link, used twice, confirms once', async () => {
    const { browser, email } = await signUpAndIn(server, own())
    const code = await codeTo(server, email)
    const page = await browser.get(`${server.issuer}/verify`)
    const { id } = await userOf(server, email)
    const challenge = await challengeOf(server, 'confirmation_code', id)
    await meetAtRow(server, { table: 'challenges', id: challenge.id }, () =>
      [1, 2].map(() => browser.submit(page, '/verify', { code })),
    )
    const trail = await auditTrail(server, 'address.confirmed')
    expect(trail.filter(({ user_id }) => user_id === id)).toHaveLength(1)
  })
})

test('a letter that tells of a change or a reset never reaches an address that was only typed', async () => {
  const { browser, email } = await newMember(server)
  const typed = newEmail()
  await askForAddress(server, browser, typed)
  await codeTo(server, typed)
  await forget(server, email)
  await letterAbout(server, email, { subject: RESET })
  await confirm(server, email)
  expect((await lettersTo(server, typed)).every(({ subject }) => CODE.test(subject))).toBe(true)
})

import { generateKeySync } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { Database } from '../../db/database.ts'
import { createUnitOfWork } from '../../db/unit-of-work.ts'
import { MINUTE } from '../../lib/clock.ts'
import { parseEmail } from '../../lib/email.ts'
import type { Content, Letter } from '../../mail/letter.ts'
import { createAddressStore } from '../../users/addresses.store.ts'
import { createChallengeStore } from '../../users/challenges.store.ts'
import { createUserStore, type UserStore } from '../../users/store.ts'
import type { Attempt, Outcome, Pending, Person, SignInMethod } from '../method.ts'
import { createMailedCodes } from './codes.ts'
import { createEmailCodeMethod } from './index.ts'
import { createMailbox, type Mailbox } from './mailbox.ts'

const ADA = 'ada@example.test'
const key = generateKeySync('hmac', { length: 256 })
const credential = { type: 'password', data: { hash: 'of a password' } }

let testDatabase: TestDatabase
let databases: Database[]
let letters: Letter[]
let users: UserStore

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  const first = await testDatabase.open()
  databases = [first, testDatabase.url ? await testDatabase.open() : first]
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  letters = []
  await databases[0]!.prisma.challenge.deleteMany()
  await databases[0]!.prisma.user.deleteMany()
  users = createUserStore(createUnitOfWork(databases[0]!), () => new Date())
})

/** One instance of the house, as far as mailed codes are concerned. */
function instance(index = 0, { open = true, lifetime = 10 * MINUTE } = {}) {
  const scope = createUnitOfWork(databases[index]!)
  const now = () => new Date()
  const addresses = createAddressStore(scope)
  const outbox = { post: async (letter: Letter) => void letters.push(letter) }
  const codes = createMailedCodes({ challenges: createChallengeStore(scope, now), outbox, key })
  const people = createUserStore(scope, now)
  const issuer = 'https://id.example'
  const mailbox = createMailbox({ users: people, addresses, codes, outbox, open, lifetime, issuer })
  return { scope, mailbox, codes, method: createEmailCodeMethod({ mailbox, codes }) }
}

const attempt = (typed: Record<string, string>, more: Partial<Attempt> = {}): Attempt => ({
  user: null,
  fields: (name) => typed[name] ?? '',
  action: '/method/email-code',
  csrf: '',
  hint: '',
  begun: null,
  place: 'interaction 1',
  trust: null,
  clientName: 'Printer',
  occasion: { at: new Date(), ip: '192.0.2.1', userAgent: 'test' },
  linkOf: (token) => `https://id.example/link?token=${token}`,
  ...more,
})

async function begin(method: SignInMethod, email = ADA): Promise<Pending> {
  const result = await method.begin!(attempt({ email }))
  if (!result.ok) throw new Error(result.errors[0]!.message)
  return result.begun
}

const enter = (method: SignInMethod, begun: Pending, typed: Record<string, string>, more = {}) =>
  method.verify(attempt(typed, { begun, ...more }))

const content = (letter = letters.at(-1)) => letter?.content as Extract<Content, { kind: 'code' }>
const wrongCode = () => String((Number(content().code) + 1) % 1_000_000).padStart(6, '0')
const tokenOf = () => new URL(content().link!).searchParams.get('token')!

async function claim(outcome: Outcome, { scope } = instance()): Promise<Person | null> {
  if (!outcome.ok || !('claim' in outcome)) throw new Error(`refused: ${JSON.stringify(outcome)}`)
  return scope.transaction(outcome.claim)
}

const ada = (confirmed = true) =>
  users.createUser({ email: parseEmail('Ada@example.test')!, name: 'Ada', credential, confirmed })

describe('a person with an account', () => {
  test('T027: signs in with the six digits from the letter, once', async () => {
    const user = await ada()
    const { method } = instance()
    const begun = await begin(method, ' ADA@example.test ')
    expect(letters).toMatchObject([{ to: 'Ada@example.test', userId: user.id }])
    const outcome = await enter(method, begun, { code: content().code })
    expect(outcome).toMatchObject({ ok: true, amr: ['otp'] })
    expect(await claim(outcome)).toMatchObject({ isNew: false, user: { id: user.id } })
    expect(await enter(method, begun, { code: content().code })).toMatchObject({
      ok: false,
      reason: 'expired',
    })
    expect(await claim(outcome)).toBeNull()
  })

  test('may type spaces and dashes, and nothing that is not a code counts as a try', async () => {
    await ada()
    const { method } = instance()
    const begun = await begin(method)
    for (const code of ['', '1', '12345', '1234567', '１２３４５６', '0x1234', 'abcdef', '12 34 5'])
      expect(await enter(method, begun, { code })).toMatchObject({ ok: false, reason: 'incomplete' })
    const { code } = content()
    const outcome = await enter(method, begun, { code: ` ${code.slice(0, 3)} - ${code.slice(3)} ` })
    expect(outcome.ok).toBe(true)
  })

  test('gets in by the link of the letter as well, in the journey that asked and nowhere else', async () => {
    await ada()
    const { method } = instance()
    const begun = await begin(method)
    const link = tokenOf()
    const elsewhere = { place: 'interaction 2' }
    expect(await enter(method, begun, { link }, elsewhere)).toMatchObject({ reason: 'expired' })
    expect(await enter(method, begun, { link: 'x'.repeat(43) })).toMatchObject({ reason: 'wrong' })
    expect(await claim(await enter(method, begun, { link }))).toMatchObject({ isNew: false })
  })

  test('cannot use the code in another journey, although it is right', async () => {
    await ada()
    const { method } = instance()
    const begun = await begin(method)
    const { code } = content()
    expect(await enter(method, begun, { code }, { place: 'interaction 2' })).toMatchObject({
      reason: 'expired',
    })
    expect((await enter(method, begun, { code })).ok).toBe(true)
  })

  test('has five tries for a code, wherever they are made', async () => {
    await ada()
    const { method } = instance()
    const begun = await begin(method)
    for (let tries = 0; tries < 5; tries++)
      expect(await enter(method, begun, { code: wrongCode() })).toMatchObject({ reason: 'wrong' })
    expect(await enter(method, begun, { code: content().code })).toMatchObject({ reason: 'expired' })
  })

  test('is asked at most five times, of three hundred guesses sent to two instances at once', async () => {
    await ada()
    const methods = [instance(0).method, instance(1).method]
    const begun = await begin(methods[0]!)
    const guesses = Array.from({ length: 300 }, (_, index) =>
      enter(methods[index % 2]!, begun, { code: wrongCode() }),
    )
    const outcomes = (await Promise.all(guesses)) as { reason: string }[]
    expect(outcomes.filter(({ reason }) => reason === 'wrong')).toHaveLength(5)
    expect(outcomes.filter(({ reason }) => reason === 'expired')).toHaveLength(295)
  })

  test('gets in once with one code sent ten times to two instances', async () => {
    await ada()
    const houses = [instance(0), instance(1)]
    const begun = await begin(houses[0]!.method)
    const tries = Array.from({ length: 4 }, (_, index) =>
      enter(houses[index % 2]!.method, begun, { code: content().code }),
    )
    const outcomes = await Promise.all(tries)
    const persons = await Promise.all(outcomes.map((outcome, index) => claim(outcome, houses[index % 2])))
    expect(persons.filter(Boolean)).toHaveLength(1)
  })

  test('can use the newest code alone, also when it was asked for in another browser', async () => {
    await ada()
    const { method } = instance()
    const first = await begin(method)
    const { code } = content()
    const again = await method.begin!(attempt({ again: 'yes' }, { begun: first }))
    expect(again).toMatchObject({ ok: true, begun: { address: ADA } })
    expect(await enter(method, first, { code })).toMatchObject({ reason: 'expired' })
    const second = (again as { begun: Pending }).begun
    expect((await enter(method, second, { code: content().code })).ok).toBe(true)
  })

  test('T027: finds neither code nor link in what is kept', async () => {
    await ada()
    await begin(instance().method)
    const kept = JSON.stringify(await databases[0]!.prisma.challenge.findMany())
    expect(kept).not.toContain(content().code)
    expect(kept).not.toContain(tokenOf())
  })

  test('finds the code dead after its time', async () => {
    await ada()
    const { method } = instance(0, { lifetime: 0 })
    const begun = await begin(method)
    expect(await enter(method, begun, { code: content().code })).toMatchObject({ reason: 'expired' })
    expect(await method.resume!(begun)).toBe(false)
  })
})

test('T027: five hundred codes are spread evenly over what six digits can say', async () => {
  const { method } = instance()
  for (let samples = 0; samples < 500; samples++) await begin(method, `person${samples}@example.test`)
  const codes = letters.map((letter) => content(letter).code)
  expect(codes.every((code) => /^[0-9]{6}$/.test(code))).toBe(true)
  expect(new Set(codes).size).toBeGreaterThan(490)
  const byFirst = Map.groupBy(codes, ([digit]) => digit)
  expect(byFirst.size).toBe(10)
  for (const group of byFirst.values()) expect(group.length).toBeGreaterThan(20)
})

describe('an address without an account', () => {
  test('gets the same letter, and whoever reads it a new account', async () => {
    await ada()
    const { method } = instance()
    await begin(method)
    const known = letters[0]!
    const begun = await begin(method, 'Grace@example.test')
    const unknown = letters[1]!
    const shape = (letter: Letter) => ({ ...letter, content: { ...content(letter), code: '', link: '' } })
    expect({ ...shape(unknown), to: '', userId: '', occasion: '' }).toEqual({
      ...shape(known),
      to: '',
      userId: '',
      occasion: '',
    })
    const person = await claim(await enter(method, begun, { code: content().code }))
    expect(person).toMatchObject({ isNew: true, user: { email: 'Grace@example.test', emailVerified: true } })
    expect(await users.listCredentials(person!.user.id, 'password')).toEqual([])
  })

  test('gets no letter where new accounts cannot be created, and nobody sees the difference', async () => {
    const { method } = instance(0, { open: false })
    const begun = await begin(method)
    expect(letters).toEqual([])
    expect(await method.resume!(begun)).toBe(true)
    for (let tries = 0; tries < 5; tries++)
      expect(await enter(method, begun, { code: '000000' })).toMatchObject({ reason: 'wrong' })
    expect(await enter(method, begun, { code: '000000' })).toMatchObject({ reason: 'expired' })
  })

  test('gives one account, however many prove it at once', async () => {
    const houses = [instance(0), instance(1)]
    const begun = await begin(houses[0]!.method)
    const outcomes = await Promise.all(
      houses.map(({ method }) => enter(method, begun, { code: content().code })),
    )
    const persons = await Promise.all(outcomes.map((outcome, index) => claim(outcome, houses[index])))
    expect(persons.filter(Boolean)).toHaveLength(1)
    expect(await databases[0]!.prisma.user.count()).toBe(1)
  })
})

describe('a disabled account', () => {
  test('gets no letter, and nobody sees the difference', async () => {
    const { id } = await ada()
    await databases[0]!.prisma.user.update({ where: { id }, data: { disabledAt: new Date() } })
    const { method } = instance()
    const begun = await begin(method)
    expect(letters).toEqual([])
    expect(await enter(method, begun, { code: '000000' })).toMatchObject({ reason: 'wrong' })
  })

  test('that is disabled after its letter left is not entered', async () => {
    const { id } = await ada()
    const { method } = instance()
    const outcome = await enter(method, await begin(method), { code: content().code })
    await databases[0]!.prisma.user.update({ where: { id }, data: { disabledAt: new Date() } })
    expect(await claim(outcome)).toBeNull()
  })
})

describe('an address that somebody claimed and never proved', () => {
  test('gives its real owner a clean account: nothing the first person attached is left', async () => {
    const squatter = await ada(false)
    const { method } = instance()
    const outcome = await enter(method, await begin(method), { code: content().code })
    const person = await claim(outcome)
    expect(person).toMatchObject({ isNew: true, user: { emailVerified: true, name: null } })
    expect(person!.user.id).not.toBe(squatter.id)
    expect(await users.findUser(squatter.id)).toBeNull()
    expect(await databases[0]!.prisma.credential.count()).toBe(0)
  })
})

describe('a sign-up with a password', () => {
  const register = (mailbox: Mailbox, email = ADA) =>
    mailbox.ask(
      { purpose: 'registration_code', email: parseEmail(email)!, name: 'Ada', credential, amr: ['pwd'] },
      attempt({}),
    )

  test('makes the account, with its password, when the mailbox is proved and not before', async () => {
    const { mailbox, method } = instance()
    const id = await register(mailbox)
    expect(await databases[0]!.prisma.user.count()).toBe(0)
    const outcome = await enter(method, { id, address: ADA }, { code: content().code })
    expect(outcome).toMatchObject({ ok: true, amr: ['pwd'] })
    const person = await claim(outcome)
    expect(person).toMatchObject({ isNew: true, user: { name: 'Ada', emailVerified: true } })
    expect(await users.listCredentials(person!.user.id, 'password')).toMatchObject([credential])
  })

  test('T001: with an address that has an account tells its owner alone', async () => {
    const owner = await ada()
    const { mailbox, method } = instance()
    const id = await register(mailbox)
    expect(letters).toMatchObject([
      { to: 'Ada@example.test', userId: owner.id, content: { kind: 'address_in_use', wanted: 'account' } },
    ])
    expect(await enter(method, { id, address: ADA }, { code: '000000' })).toMatchObject({ reason: 'wrong' })
  })

  test('can be sent a new code, with everything that was typed still there', async () => {
    const { mailbox, method } = instance()
    const begun = { id: await register(mailbox), address: ADA }
    const again = await method.begin!(attempt({ again: 'yes' }, { begun }))
    const outcome = await enter(method, (again as { begun: Pending }).begun, { code: content().code })
    expect(await claim(outcome)).toMatchObject({ isNew: true, user: { name: 'Ada' } })
  })
})

test('an address whose owner may still have it back is nobody else’s', async () => {
  const { scope, method } = instance()
  await createChallengeStore(scope, () => new Date()).openChallenge({
    purpose: 'address_undo',
    binding: ADA,
    data: {},
    lifetime: MINUTE,
  })
  await begin(method)
  expect(letters).toEqual([])
})

test('every letter is counted for the address it goes to, whatever was begun before', () => {
  const { method } = instance()
  const begun = { id: 'chl_1', address: ADA }
  const counted = (typed: Record<string, string>, more = {}) =>
    method.beginAllowances!(attempt(typed, more), '192.0.2.1')
  const of = (address: string) => [
    { limit: 'letters_per_address', key: `sign_in ${address}` },
    { limit: 'letters_per_ip', key: '192.0.2.1' },
  ]
  expect(counted({ email: ' ADA@Example.test' })).toEqual(of(ADA))
  expect(counted({ email: 'grace@example.test' }, { begun })).toEqual(of('grace@example.test'))
  expect(counted({ email: 'grace@example.test', again: 'yes' }, { begun })).toEqual(of(ADA))
})

test('an address that is none is refused with a word on how to write one, and nothing is sent', async () => {
  const { method } = instance()
  for (const email of [
    '',
    'ada',
    'ada@',
    'a@b@c',
    'ada@example.test\r\nBcc: eve@example.test',
    '"a"@example.test',
  ])
    expect(await method.begin!(attempt({ email }))).toMatchObject({ ok: false, errors: [{ field: 'email' }] })
  expect(letters).toEqual([])
})

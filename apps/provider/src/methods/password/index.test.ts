import argon2 from 'argon2'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { createUnitOfWork, type Scope } from '../../db/unit-of-work.ts'
import { parseEmail } from '../../lib/email.ts'
import { createUserStore, type UserStore } from '../../users/store.ts'
import type { Attempt, SignInMethod } from '../method.ts'
import { createHasher, type Hasher } from './hasher.ts'
import { createPasswordMethod } from './index.ts'

const PASSWORD = 'seven orange umbrellas at noon'
const EMAIL = 'Ada@example.test'

let testDatabase: TestDatabase
let scope: Scope
let users: UserStore
let method: SignInMethod
/** What was verified against and hashed since the test began. */
let work: { verified: string[]; hashed: number }

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  scope = createUnitOfWork(await testDatabase.open())
  users = createUserStore(scope, () => new Date())
  method = createPasswordMethod({
    users,
    hasher: watched(createHasher({ slots: 2, queue: 64, waitMs: 10_000 })),
    rules: { minLength: 10, minStrength: 3 },
    service: 'Anteroom',
    issuer: 'https://id.example',
    lockedFor: 900_000,
  })
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  await scope.client.user.deleteMany()
  work = { verified: [], hashed: 0 }
})

/** The real hasher, telling what it is asked for. */
function watched(hasher: Hasher): Hasher {
  work = { verified: [], hashed: 0 }
  return {
    ...hasher,
    hash(password) {
      work.hashed++
      return hasher.hash(password)
    },
    verify(hash, password) {
      work.verified.push(hash)
      return hasher.verify(hash, password)
    },
  }
}

const fieldsOf = (typed: Record<string, string>) => (name: string) => typed[name] ?? ''
const attemptWith = (typed: Record<string, string>): Attempt => ({
  user: null,
  fields: fieldsOf(typed),
  action: '',
  csrf: '',
  hint: '',
  begun: null,
  place: '',
  clientName: null,
  trust: null,
  occasion: { at: new Date(), ip: '', userAgent: '' },
  linkOf: (token) => token,
})
const verify = (email: string, password: string) => method.verify(attemptWith({ email, password }))

async function enrol(password = PASSWORD) {
  const enrolment = await method.enrol!.prepare(fieldsOf({ password }), [EMAIL, 'Ada'])
  if (!enrolment.ok) return enrolment
  const user = await users.createUser({
    email: parseEmail(EMAIL)!,
    name: 'Ada',
    credential: enrolment.credential,
    confirmed: true,
  })
  work = { verified: [], hashed: 0 }
  return { ...enrolment, user }
}

const storedHash = async () =>
  ((await scope.client.credential.findFirstOrThrow()).data as { hash: string }).hash

describe('a person with a password', () => {
  test('is known by it, and the way is called pwd (RFC 8176)', async () => {
    await enrol()
    expect(await verify(' ada@EXAMPLE.test', PASSWORD)).toMatchObject({
      ok: true,
      user: { email: EMAIL },
      amr: ['pwd'],
    })
  })

  test('R007: is not known by a part of it, nor in another case', async () => {
    await enrol()
    for (const wrong of [PASSWORD.slice(0, -1), `${PASSWORD} `, PASSWORD.toUpperCase()]) {
      expect(await verify(EMAIL, wrong)).toMatchObject({ ok: false, reason: 'wrong' })
    }
  })

  test('T011: is known by the same characters composed another way', async () => {
    await enrol('café umbrellas at ñoon'.normalize('NFD'))
    expect(await verify(EMAIL, 'café umbrellas at ñoon'.normalize('NFC'))).toMatchObject({ ok: true })
  })

  test('keeps a hash and never the password', async () => {
    await enrol()
    const tables = [await scope.client.user.findMany(), await scope.client.credential.findMany()]
    const rows = tables
      .flat()
      .flatMap((row) => Object.values(row))
      .map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value)))
      .join()
    expect(rows).not.toContain(PASSWORD)
    expect(await storedHash()).toMatch(/^\$argon2id\$/)
  })

  test('R011: has an outdated hash renewed when it was right, and only then', async () => {
    const { user } = (await enrol()) as { user: { id: string } }
    const weak = await argon2.hash(PASSWORD, { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 })
    const [credential] = await users.listCredentials(user.id, 'password')
    await users.updateCredential(credential!.id, { hash: weak })
    await verify(EMAIL, 'something else')
    expect(await storedHash()).toBe(weak)
    expect(await verify(EMAIL, PASSWORD)).toMatchObject({ ok: true })
    expect(await storedHash()).toContain('m=47104')
    expect(await verify(EMAIL, PASSWORD)).toMatchObject({ ok: true })
  })
})

describe('T015: whoever is not let in', () => {
  test('costs one verification, with an account or without', async () => {
    const { user } = (await enrol()) as { user: { id: string } }
    const own = await storedHash()
    const wrong = await verify(EMAIL, 'not the password')
    const unknown = await verify('nobody@example.test', PASSWORD)
    const malformed = await verify('no address at all', PASSWORD)
    await scope.client.user.update({ where: { id: user.id }, data: { disabledAt: new Date() } })
    const disabled = await verify(EMAIL, PASSWORD)
    expect(work.verified).toHaveLength(4)
    expect(work.verified[0]).toBe(own)
    expect(new Set(work.verified.slice(1)).size).toBe(1)
    expect(work.verified[1]).not.toBe(own)
    const told = [wrong, unknown, malformed, disabled].map((outcome) => !outcome.ok && outcome.errors)
    expect(new Set(told.map((errors) => JSON.stringify(errors))).size).toBe(1)
  })

  test('cannot guess the decoy: its password is nobody’s', async () => {
    for (const guess of ['', 'decoy', 'password', PASSWORD])
      expect(await verify('nobody@example.test', guess)).toMatchObject({ ok: false })
  })
})

test('nothing is verified while something is missing', async () => {
  await enrol()
  expect(await verify('', '')).toMatchObject({
    ok: false,
    reason: 'incomplete',
    errors: [{ field: 'email' }, { field: 'password' }],
  })
  expect(await verify(EMAIL, '')).toMatchObject({ reason: 'incomplete', errors: [{ field: 'password' }] })
  expect(work.verified).toEqual([])
})

test('T012: an overlong password is refused without hashing, at sign-in and at sign-up', async () => {
  await enrol()
  expect(await verify(EMAIL, 'x'.repeat(129))).toMatchObject({ ok: false, reason: 'wrong' })
  expect(await method.enrol!.prepare(fieldsOf({ password: 'x'.repeat(129) }), [])).toMatchObject({
    ok: false,
    errors: [{ field: 'password' }],
  })
  expect(work).toEqual({ verified: [], hashed: 0 })
})

test('a weak password is refused without hashing', async () => {
  expect(await method.enrol!.prepare(fieldsOf({ password: 'password123' }), [])).toMatchObject({ ok: false })
  expect(work.hashed).toBe(0)
})

test('one try is counted for the account by its canonical address, and for the network', () => {
  const allowances = (email: string) => method.allowances(attemptWith({ email }), '192.0.2.1')
  expect(allowances(' ADA@Example.test')).toEqual([
    {
      limit: 'password_in_a_row',
      key: 'ada@example.test',
      pace: 'password_pace',
      endsWithSuccess: true,
    },
    { limit: 'password_per_account', key: 'ada@example.test', endsWithSuccess: true },
    { limit: 'password_per_ip', key: '192.0.2.1' },
  ])
  expect(allowances('not an address')[0]).toMatchObject({ key: 'not an address' })
})

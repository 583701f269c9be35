import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork } from '../db/unit-of-work.ts'
import { parseEmail } from '../lib/email.ts'
import { type CredentialStore, createCredentialStore } from './credentials.store.ts'
import { createUserStore } from './store.ts'

const now = () => new Date()
let testDatabase: TestDatabase
let database: Database
/** Of two instances. */
let stores: CredentialStore[]
let userId: string

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  database = await testDatabase.open()
  const other = testDatabase.url ? await testDatabase.open() : database
  stores = [database, other].map((one) => createCredentialStore(createUnitOfWork(one), now))
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  await database.prisma.user.deleteMany()
  userId = await newPerson('ada@example.test')
})

async function newPerson(address: string) {
  const users = createUserStore(createUnitOfWork(database), now)
  const email = parseEmail(address)!
  return (await users.createUser({ email, name: null, credential: null, confirmed: true })).id
}

const everywhere = <T>(times: number, ask: (store: CredentialStore, index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: times }, (_, index) => ask(stores[index % 2]!, index)))
const counted = (counter = 0) => ({ id: stores[0]!.nameCredential(), data: { secret: 'sealed' }, counter })
const listed = (identifier: string) => ({ ...counted(), identifier })

describe('a counter', () => {
  test('advances to a value exactly once, however many ask at two instances', async () => {
    const credential = counted(56)
    await stores[0]!.replaceCredentials(userId, 'clock', [credential])
    const answers = await everywhere(20, (store) => store.advanceCounter(credential.id, 57))
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(await stores[1]!.findCounted(userId, 'clock')).toMatchObject({ ...credential, counter: 57 })
  })

  test('never goes back or stays, and is nobody’s when its credential is gone', async () => {
    const credential = counted(56)
    await stores[0]!.replaceCredentials(userId, 'clock', [credential])
    for (const value of [0, 55, 56]) expect(await stores[0]!.advanceCounter(credential.id, value)).toBe(false)
    expect(await stores[0]!.advanceCounter(credential.id, 2 ** 40)).toBe(true)
    expect(await stores[0]!.removeCredentials(userId, 'clock')).toBe(true)
    expect(await stores[0]!.advanceCounter(credential.id, 2 ** 41)).toBe(false)
  })

  test('is where it was when the transaction that advanced it comes to nothing', async () => {
    const credential = counted(56)
    await stores[0]!.replaceCredentials(userId, 'clock', [credential])
    const scope = createUnitOfWork(database)
    const inside = createCredentialStore(scope, now)
    const failing = scope.transaction(async () => {
      expect(await inside.advanceCounter(credential.id, 57)).toBe(true)
      throw new Error('something else of the same sign-in failed')
    })
    await expect(failing).rejects.toThrow('something else')
    expect(await stores[1]!.advanceCounter(credential.id, 57)).toBe(true)
  })
})

describe('a list', () => {
  test('loses each entry exactly once, however many spend it at two instances', async () => {
    await stores[0]!.replaceCredentials(userId, 'list', [listed('a'), listed('b')])
    const spent = await everywhere(20, (store) => store.spendCredential(userId, 'list', 'a'))
    expect(spent.filter(Boolean)).toHaveLength(1)
    expect(await stores[1]!.countCredentials(userId, 'list')).toBe(1)
    expect(await stores[1]!.hasCredential(userId, 'list', 'a')).toBe(false)
    expect(await stores[1]!.hasCredential(userId, 'list', 'b')).toBe(true)
  })

  test('is one list after it was replaced ten times at once', async () => {
    const lists = await everywhere(10, async (store, index) => {
      const names = [0, 1, 2].map((entry) => `${index}.${entry}`)
      await store.replaceCredentials(userId, 'list', names.map(listed))
      return names
    })
    const left = await database.prisma.credential.findMany({ where: { userId } })
    expect(lists).toContainEqual(left.map(({ identifier }) => identifier).sort())
  })

  test('is one person’s: another cannot spend from it, replace or remove it', async () => {
    const other = await newPerson('grace@example.test')
    await stores[0]!.replaceCredentials(userId, 'list', [listed('a')])
    await stores[0]!.replaceCredentials(other, 'list', [listed('b')])
    expect(await stores[0]!.hasCredential(other, 'list', 'a')).toBe(false)
    expect(await stores[0]!.spendCredential(other, 'list', 'a')).toBe(false)
    expect(await stores[0]!.removeCredentials(other, 'list')).toBe(true)
    expect(await stores[0]!.removeCredentials(other, 'list')).toBe(false)
    expect(await stores[0]!.countCredentials(userId, 'list')).toBe(1)
  })
})

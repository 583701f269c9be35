import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork } from '../db/unit-of-work.ts'
import { MINUTE } from '../lib/clock.ts'
import { randomToken } from '../lib/ids.ts'
import { type ChallengeStore, createChallengeStore } from './challenges.store.ts'

let testDatabase: TestDatabase
let database: Database
/** Of two instances. */
let stores: ChallengeStore[]

const open = (more: { binding?: string; purpose?: string; lifetime?: number; linkSecret?: string } = {}) =>
  stores[0]!.openChallenge({
    purpose: 'sign_in_code',
    binding: 'ada@example.test',
    data: { about: 'Ada' },
    lifetime: MINUTE,
    ...more,
  })

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  database = await testDatabase.open()
  const other = testDatabase.url ? await testDatabase.open() : database
  stores = [database, other].map((one) => createChallengeStore(createUnitOfWork(one), () => new Date()))
})
afterAll(() => testDatabase.drop())
beforeEach(() => database.prisma.challenge.deleteMany())

const everywhere = <T>(times: number, ask: (store: ChallengeStore) => Promise<T>) =>
  Promise.all(Array.from({ length: times }, (_, index) => ask(stores[index % 2]!)))

describe('a challenge', () => {
  test('is found with what its opener put into it', async () => {
    const { id } = await open()
    const found = { id, purpose: 'sign_in_code', binding: 'ada@example.test', data: { about: 'Ada' } }
    expect(await stores[1]!.findChallenge(id)).toMatchObject(found)
    expect(await stores[1]!.findChallengeOf('sign_in_code', 'ada@example.test')).toMatchObject(found)
    expect(await stores[1]!.findChallengeOf('password_reset', 'ada@example.test')).toBeNull()
  })

  test('takes the place of an older one, tries and link included', async () => {
    const linkSecret = randomToken()
    const older = await open({ linkSecret })
    await stores[0]!.tryChallenge(older.id, 1)
    const newer = await open()
    expect(await stores[0]!.findChallenge(older.id)).toBeNull()
    expect(await stores[0]!.findChallengeByLink('sign_in_code', linkSecret)).toBeNull()
    expect(await stores[0]!.tryChallenge(older.id, 5)).toBeNull()
    expect(await stores[0]!.spendChallenge(older.id)).toBe(false)
    expect(await stores[0]!.tryChallenge(newer.id, 1)).toMatchObject({ id: newer.id })
  })

  test('that has expired is neither found, tried nor spent, only recalled', async () => {
    const { id } = await open({ lifetime: 0, linkSecret: 'secret' })
    const [store] = stores as [ChallengeStore]
    expect(await store.findChallenge(id)).toBeNull()
    expect(await store.findChallengeByLink('sign_in_code', 'secret')).toBeNull()
    expect(await store.tryChallenge(id, 5)).toBeNull()
    expect(await store.spendChallenge(id)).toBe(false)
    expect(await store.recallChallenge(id)).toMatchObject({ id })
  })

  test('is found by the secret of its link, for its own purpose, and no secret is kept', async () => {
    const linkSecret = randomToken()
    const { id } = await open({ linkSecret })
    expect(await stores[1]!.findChallengeByLink('sign_in_code', linkSecret)).toMatchObject({ id })
    expect(await stores[1]!.findChallengeByLink('password_reset', linkSecret)).toBeNull()
    expect(await stores[1]!.findChallengeByLink('sign_in_code', randomToken())).toBeNull()
    expect(JSON.stringify(await database.prisma.challenge.findMany())).not.toContain(linkSecret)
  })

  test('is over when it is closed', async () => {
    const { id } = await open()
    await stores[1]!.closeChallenges('sign_in_code', 'ada@example.test')
    expect(await stores[0]!.recallChallenge(id)).toBeNull()
  })

  test('can be tried five times, however many try at once at two instances', async () => {
    const { id } = await open()
    const tries = await everywhere(300, (store) => store.tryChallenge(id, 5))
    expect(tries.filter(Boolean)).toHaveLength(5)
  })

  test('is spent exactly once, however many spend it at once at two instances', async () => {
    const { id } = await open()
    const spent = await everywhere(50, (store) => store.spendChallenge(id))
    expect(spent.filter(Boolean)).toHaveLength(1)
    expect(await stores[0]!.recallChallenge(id)).toBeNull()
  })

  test('is good again when the transaction that spent it comes to nothing', async () => {
    const { id } = await open()
    const scope = createUnitOfWork(database)
    const inside = createChallengeStore(scope, () => new Date())
    const failing = scope.transaction(async () => {
      expect(await inside.spendChallenge(id)).toBe(true)
      throw new Error('something else of the same change failed')
    })
    await expect(failing).rejects.toThrow('something else')
    expect(await stores[1]!.spendChallenge(id)).toBe(true)
  })

  test('opened twenty times at once for one binding is open once', async () => {
    const opened = await everywhere(20, (store) =>
      store.openChallenge({ purpose: 'p', binding: 'b', data: {}, lifetime: MINUTE }),
    )
    const found = await Promise.all(opened.map(({ id }) => stores[0]!.findChallenge(id)))
    expect(found.filter(Boolean)).toHaveLength(1)
  })
})

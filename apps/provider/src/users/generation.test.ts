// A person's generation: it grows with every change of a credential, and whoever saw an earlier one speaks for that.
import { AsyncResource } from 'node:async_hooks'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork, type UnitOfWork } from '../db/unit-of-work.ts'
import { parseEmail } from '../lib/email.ts'
import { ChangedMeanwhile, createUserStore, type UserStore } from './store.ts'

let testDatabase: TestDatabase
let database: Database
let work: UnitOfWork
let users: UserStore
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  database = await testDatabase.open()
  work = createUnitOfWork(database)
  users = createUserStore(work, () => new Date())
})
afterAll(() => testDatabase.drop())

let id: string
beforeEach(async () => {
  await database.prisma.user.deleteMany()
  const credential = { type: 'password', data: { hash: '$argon2id$…' } }
  const email = parseEmail('ada@example.test')!
  id = (await users.createUser({ email, name: null, credential, confirmed: true })).id
})

/** What another request does, although it is told from within this one. */
const outside = new AsyncResource('another request')
const elsewhere = <T>(act: () => Promise<T>): Promise<T> => outside.runInAsyncScope(act)

const advance = () => work.transaction(() => users.advanceGeneration(id))
const stored = async () => (await database.prisma.user.findUnique({ where: { id } }))?.generation

test('advances by one with each change, and is told with the person', async () => {
  expect(await advance()).toBe(1)
  expect(await advance()).toBe(2)
  expect(await users.findUser(id)).toMatchObject({ generation: 2 })
  expect(await users.findUserByEmail('ada@example.test')).toMatchObject({ generation: 2 })
})

test('advances with what changed, or not at all', async () => {
  await expect(users.advanceGeneration(id)).rejects.toThrow('in one transaction')
  const failing = work.transaction(async () => {
    await users.advanceGeneration(id)
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(await stored()).toBe(0)
})

test('of many changes at once every one counts, where nobody had looked before', async () => {
  await Promise.all(Array.from({ length: 8 }, advance))
  expect(await stored()).toBe(8)
})

describe('a unit of work', () => {
  const lookups = {
    'by id': () => users.findUser(id),
    'by address': () => users.findUserByEmail('ada@example.test'),
    'beside an artefact': async () =>
      users.companion.remember((await database.prisma.user.findUnique({ where: { id } }))!),
  }

  test.each(Object.entries(lookups))(
    'speaks for the generation it saw first, %s, however often it looks again',
    async (_, look) => {
      await work.run(async () => {
        await look()
        await elsewhere(advance)
        for (const again of Object.values(lookups)) await again()
        await work.transaction(() => users.findUser(id))
        expect(await users.companion.generationOf(id)).toBe(0)
      })
    },
  )

  test('that changes something speaks for what it changed to, until its transaction is over', async () => {
    await work.run(async () => {
      await users.findUser(id)
      await work.transaction(async () => {
        expect(await users.advanceGeneration(id)).toBe(1)
        expect(await users.companion.generationOf(id)).toBe(1)
        expect(await users.advanceGeneration(id)).toBe(2)
        expect(await users.companion.generationOf(id)).toBe(2)
      })
      expect(await users.companion.generationOf(id)).toBe(0)
    })
    expect(await stored()).toBe(2)
  })

  test('that failed to change something speaks for what was before', async () => {
    await work.run(async () => {
      await users.findUser(id)
      const failing = work.transaction(async () => {
        await users.advanceGeneration(id)
        throw new Error('no')
      })
      await expect(failing).rejects.toThrow('no')
      expect(await users.companion.generationOf(id)).toBe(0)
    })
  })

  test('that never looked speaks for what is there, and for nobody where there is nobody', async () => {
    await advance()
    await work.run(async () => {
      expect(await users.companion.generationOf(id)).toBe(1)
      expect(await users.companion.generationOf('nobody')).toBeNull()
    })
  })

  test('changes nothing when somebody else did so since it looked: its session is dead', async () => {
    await work.run(async () => {
      await users.findUser(id)
      await elsewhere(advance)
      await expect(advance()).rejects.toThrow(ChangedMeanwhile)
    })
    expect(await stored()).toBe(1)
  })

  test('is one of many that looked at the same time, of which one changes something', async () => {
    const all = Promise.withResolvers<void>()
    let missing = 4
    const change = () =>
      work.run(async () => {
        await users.findUser(id)
        if (--missing === 0) all.resolve()
        await all.promise
        return advance()
      })
    const changes = await Promise.allSettled(Array.from({ length: missing }, change))
    const failures = changes.filter((each) => each.status === 'rejected').map(({ reason }) => reason)
    expect(failures).toEqual(Array(3).fill(expect.any(ChangedMeanwhile)))
    expect(await stored()).toBe(1)
  })
})

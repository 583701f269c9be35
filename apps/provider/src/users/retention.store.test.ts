import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { DAY, HOUR } from '../lib/clock.ts'
import { removeOver, removeTrust, removeUnconfirmed } from './retention.store.ts'

let testDatabase: TestDatabase
let database: Database
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  database = await testDatabase.open()
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  await database.prisma.user.deleteMany()
  await database.prisma.challenge.deleteMany()
})

const ago = (ms: number) => new Date(Date.now() - ms)
const person = (id: string, age: number, more: { emailVerifiedAt?: Date; disabledAt?: Date } = {}) =>
  database.prisma.user.create({
    data: { id, email: id, emailCanonical: id, createdAt: ago(age), ...more },
  })
const challenge = (id: string, overFor: number) =>
  database.prisma.challenge.create({
    data: { id, purpose: 'p', binding: id, data: {}, expiresAt: ago(overFor) },
  })
const people = async () =>
  (await database.prisma.user.findMany({ orderBy: { id: 'asc' } })).map(({ id }) => id)

test('accounts whose address nobody confirmed go after their time, with what was attached, and nobody else', async () => {
  await person('confirmed', 100 * DAY, { emailVerifiedAt: ago(DAY) })
  await person('disabled', 100 * DAY, { disabledAt: ago(DAY) })
  await person('fresh', HOUR)
  await person('old', 4 * DAY)
  const credential = { id: 'crd', userId: 'old', type: 'password', data: {} }
  await database.prisma.credential.create({ data: credential })
  const done = await removeUnconfirmed(database.pool, { keep: 3 * DAY, size: 10 })
  expect(done).toEqual({ changed: 1, next: null, more: false })
  expect(await people()).toEqual(['confirmed', 'disabled', 'fresh'])
  expect(await database.prisma.credential.count()).toBe(0)
})

test('many unconfirmed accounts go in steps', async () => {
  for (const id of ['a', 'b', 'c']) await person(id, 4 * DAY)
  expect(await removeUnconfirmed(database.pool, { keep: DAY, size: 2 })).toMatchObject({
    changed: 2,
    more: true,
  })
  expect(await removeUnconfirmed(database.pool, { keep: DAY, size: 2 })).toMatchObject({
    changed: 1,
    more: false,
  })
})

test('challenges go a while after they are over, slice by slice', async () => {
  for (const [id, overFor] of Object.entries({ a: 2 * HOUR, b: -HOUR, c: 2 * HOUR, d: 0 }))
    await challenge(id, overFor)
  const steps = []
  for (let after: string | null = null, more = true; more; ) {
    const done = await removeOver(database.pool, { after, margin: HOUR, size: 2 })
    steps.push(done.changed)
    after = done.next
    more = done.more
  }
  expect(steps).toEqual([1, 1, 0])
  const left = await database.prisma.challenge.findMany({ orderBy: { id: 'asc' } })
  expect(left.map(({ id }) => id)).toEqual(['b', 'd'])
})

test('trust in devices goes after its time, slice by slice, and all of it where devices are trusted no more', async () => {
  await person('ada', 0, { emailVerifiedAt: ago(DAY) })
  const credential = (id: string, age: number, type = 'trusted-device') =>
    database.prisma.credential.create({
      data: { id, userId: 'ada', type, identifier: id, data: {}, createdAt: ago(age) },
    })
  for (const [id, age] of Object.entries({ a: 8 * DAY, b: 6 * DAY, c: 9 * DAY })) await credential(id, age)
  await credential('d', 9 * DAY, 'passkey')
  const clear = async (keep: number) => {
    const steps = []
    for (let after: string | null = null, more = true; more; ) {
      const done = await removeTrust(database.pool, { after, keep, size: 2 })
      steps.push(done.changed)
      after = done.next
      more = done.more
    }
    return steps
  }
  const left = async () =>
    (await database.prisma.credential.findMany({ orderBy: { id: 'asc' } })).map(({ id }) => id)
  expect(await clear(7 * DAY)).toEqual([1, 1, 0])
  expect(await left()).toEqual(['b', 'd'])
  await clear(0)
  expect(await left()).toEqual(['d'])
})

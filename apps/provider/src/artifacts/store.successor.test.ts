// What a refresh token is rotated to: settled once, saved once, dead with its family.
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { countUnits, sentDuring } from '../../test/support/statements.ts'
import { createUnitOfWork, type UnitOfWork } from '../db/unit-of-work.ts'
import { rowId } from './artifact.ts'
import { type ArtifactStore, createArtifactStore } from './store.ts'

const HOUR = 3600

let database: TestDatabase
let pool: Pool
let work: UnitOfWork
let store: ArtifactStore

beforeAll(async () => {
  database = await createTestDatabase()
  const opened = await database.open()
  pool = opened.pool
  work = createUnitOfWork(opened)
  store = createArtifactStore(pool, work)
})
afterAll(() => database.drop())

const rows = async () => (await pool.query('select kind, consumed_at from artifacts order by kind')).rows

class Late extends Error {}
const lost = async () => {
  throw new Late()
}

const token = (id: string) => ({
  kind: 'RefreshToken',
  id,
  payload: { jti: id, grantId: 'g' },
  lifetime: HOUR,
})

/** A refresh: `t` is consumed in favour of `name`, which is saved in the same unit. */
const rotate = (name: string) =>
  work.run(async () => {
    await store.find('RefreshToken', 't')
    await store.consume('RefreshToken', 't', lost, rowId('RefreshToken', name))
    await store.upsert(token(name))
  })

beforeEach(family)

async function family() {
  await pool.query('delete from artifacts')
  await store.upsert({ kind: 'Grant', id: 'g', payload: { jti: 'g' }, lifetime: HOUR })
  await store.upsert(token('t'))
}

test('units that name the same successor all commit, and it is one', async () => {
  await Promise.all(Array.from({ length: 20 }, () => rotate('s')))
  expect(await rows()).toHaveLength(3)
  expect((await store.find('RefreshToken', 't'))?.consumption).toMatchObject({
    successor: rowId('RefreshToken', 's'),
  })
})

test('of units that name different successors one commits, and nothing of the others is there', async () => {
  const names = Array.from({ length: 20 }, (_, index) => `s${index}`)
  const outcomes = await Promise.allSettled(names.map(rotate))
  const winners = names.filter((_, index) => outcomes[index]?.status === 'fulfilled')
  expect(winners).toHaveLength(1)
  expect(await rows()).toHaveLength(3)
  expect(await store.find('RefreshToken', winners[0]!)).toBeDefined()
})

test('what was settled is not unsettled by another name, nor by none', async () => {
  await rotate('s')
  const before = await store.find('RefreshToken', 't')
  await expect(rotate('other')).rejects.toThrow(Late)
  await expect(store.consume('RefreshToken', 't', lost)).rejects.toThrow(Late)
  expect((await store.find('RefreshToken', 't'))?.consumption).toMatchObject({
    at: before?.consumption?.at,
    successor: rowId('RefreshToken', 's'),
  })
})

test('what was consumed in favour of nobody gets no successor afterwards', async () => {
  await store.consume('RefreshToken', 't', lost)
  await expect(rotate('s')).rejects.toThrow(Late)
  expect((await store.find('RefreshToken', 't'))?.consumption?.successor).toBeUndefined()
})

test('a successor saved once more stays consumed if it was', async () => {
  await rotate('s')
  await store.consume('RefreshToken', 's', lost)
  await rotate('s')
  expect((await store.find('RefreshToken', 's'))?.consumption).toBeDefined()
})

test('who repeats a request, or revokes a family, waits for rows in nobody’s company', async () => {
  await store.upsert(token('first'))
  await rotate('s')
  const sent = await sentDuring(pool, () =>
    Promise.all([
      rotate('s'),
      rotate('s'),
      store.consume('RefreshToken', 'first', lost),
      store.upsert(token('other')),
      store.revokeByGrantId('unknown'),
      store.revokeByGrantId('nobody'),
    ]),
  )
  const sizes = sent.filter(({ name }) => name.startsWith('commit.')).map(countUnits)
  expect(sizes.sort()).toEqual([1, 1, 1, 1, 2])
})

test('a successor does not come back when the family was revoked before it was saved a second time', async () => {
  await rotate('s')
  await store.revokeByGrantId('g')
  await expect(rotate('s')).rejects.toThrow(Late)
  expect(await rows()).toEqual([{ kind: 'Grant', consumed_at: null }])
})

test.each([
  'for the first time',
  // In the table it then stands before its predecessor: who locks as the rows lie meets the others halfway.
  'once more',
])(
  'saved %s while the family is being revoked it is without its grant, and nobody waits for ever',
  async (time) => {
    for (let round = 0; round < 50; round++) {
      await family()
      if (time === 'once more') await store.upsert(token('s'))
      const refreshes = [rotate('s'), rotate('s'), rotate('s')]
      const revocations = [store.revokeGrant('g'), store.revokeGrant('g')]
      for (const outcome of await Promise.allSettled(refreshes))
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(Late)
      await Promise.all(revocations)
      expect(await store.find('Grant', 'g')).toBeUndefined()
    }
    // What was written in the same moment is dead without its grant, and the next revocation finds it.
    await store.revokeByGrantId('g')
    expect(await rows()).toEqual([])
  },
)

// What a refresh token is rotated to: settled once, saved once, gone with its family.
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { type ArtifactStore, createArtifactStore } from './store.ts'

const HOUR = 3600

let database: TestDatabase
let pool: Pool
let store: ArtifactStore

beforeAll(async () => {
  database = await createTestDatabase()
  pool = (await database.open()).pool
  store = createArtifactStore(pool)
})
afterAll(() => database.drop())

const rows = async () => (await pool.query('select * from artifacts')).rows

const rotation = { requestedBy: 'request', successor: Buffer.from('sealed') }
const successor = {
  kind: 'RefreshToken',
  id: 's',
  payload: { jti: 's', grantId: 'g', clientId: 'first' },
  lifetime: HOUR,
}

beforeEach(async () => {
  await pool.query('delete from artifacts')
  await store.upsert({ kind: 'RefreshToken', id: 't', payload: { jti: 't', grantId: 'g' }, lifetime: HOUR })
  await store.consume('RefreshToken', 't', rotation)
})

test('a successor is settled with the consumption, and no second consumption unsettles it', async () => {
  expect(
    await store.consume('RefreshToken', 't', { requestedBy: 'other', successor: Buffer.from('x') }),
  ).toBe(false)
  expect((await store.find('RefreshToken', 't'))?.consumption).toMatchObject({ rotation })
})

test('a successor saved twice is one, and stays consumed if it was', async () => {
  expect(await store.succeed(successor, 't')).toBe(true)
  await store.consume('RefreshToken', 's')
  expect(
    await store.succeed({ ...successor, payload: { ...successor.payload, clientId: 'late' } }, 't'),
  ).toBe(true)
  const stored = await store.find('RefreshToken', 's')
  expect(stored?.payload).toEqual(successor.payload)
  expect(stored?.consumption).toBeDefined()
})

test('a successor does not come back when the family was revoked before it was saved a second time', async () => {
  await store.succeed(successor, 't')
  await store.revokeByGrantId('g')
  expect(await store.succeed(successor, 't')).toBe(false)
  expect(await rows()).toEqual([])
})

test.each([
  'for the first time',
  // In the table it then stands before its predecessor: who locks as the rows lie meets the others halfway.
  'once more',
])(
  'saved %s while the family is being revoked is removed with it, and nobody waits for ever',
  async (time) => {
    for (let round = 0; round < 50; round++) {
      await pool.query('delete from artifacts')
      if (time === 'once more') await store.upsert(successor)
      await store.upsert({
        kind: 'RefreshToken',
        id: 't',
        payload: { jti: 't', grantId: 'g' },
        lifetime: HOUR,
      })
      await Promise.all([
        store.succeed(successor, 't'),
        store.revokeByGrantId('g'),
        store.succeed(successor, 't'),
        store.revokeByGrantId('g'),
        store.succeed(successor, 't'),
      ])
      expect(await rows()).toEqual([])
    }
  },
)

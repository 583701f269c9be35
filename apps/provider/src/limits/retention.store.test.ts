import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { HOUR } from '../lib/clock.ts'
import { removeSpent } from './retention.store.ts'

let place: TestDatabase
let pool: Pool

beforeAll(async () => {
  place = await createTestDatabase()
  pool = (await place.open()).pool
})
afterAll(() => place.drop())
beforeEach(() => pool.query('delete from rate_limits'))

const count = (key: string, minutes: number | null) =>
  pool.query(
    `insert into rate_limits (key, points, expire)
     values ($1, 1, extract(epoch from now() + $2 * interval '1 min') * 1000)`,
    [key, minutes],
  )
const left = async () =>
  (await pool.query('select key from rate_limits order by key')).rows.map(({ key }) => key)

test('a counter goes when its time has been over for the margin, one without a time never', async () => {
  await count('blocked', 1)
  await count('over', -59)
  await count('long over', -61)
  await count('for ever', null)
  await removeSpent(pool, { after: null, margin: HOUR, size: 10 })
  expect(await left()).toEqual(['blocked', 'for ever', 'over'])
})

test('a slice is as large as was asked for, and tells where the next one begins', async () => {
  for (const key of ['a', 'b', 'c']) await count(key, -61)
  const first = await removeSpent(pool, { after: null, margin: HOUR, size: 2 })
  expect(first).toEqual({ changed: 2, next: 'b', more: true })
  const second = await removeSpent(pool, { after: first.next, margin: HOUR, size: 2 })
  expect(second).toEqual({ changed: 1, next: 'c', more: true })
  const third = await removeSpent(pool, { after: second.next, margin: HOUR, size: 2 })
  expect(third).toEqual({ changed: 0, next: null, more: false })
})

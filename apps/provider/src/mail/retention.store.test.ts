import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { DAY } from '../lib/clock.ts'
import { removeOldLetters } from './retention.store.ts'

let place: TestDatabase
let database: Database
beforeEach(async () => {
  place = await createTestDatabase()
  database = await place.open()
  await database.pool.query(
    `insert into letters (id, kind, created_at) select 'ltr_' || to_char(n, 'FM000'), 'code', now() - (100 - n) * interval '1 d'
       from generate_series(0, 99) n`,
  )
})
afterEach(() => place.drop())

const left = async () =>
  (await database.pool.query<{ id: string }>('select id from letters order by id')).rows

test('letters go when their time is over, the others stay', async () => {
  let after: string | null = null
  let changed = 0
  for (let more = true; more; ) {
    const step = await removeOldLetters(database.pool, { after, keep: 30 * DAY + 1000, size: 8 })
    after = step.next
    changed += step.changed
    more = step.more
  }
  expect(changed).toBe(70)
  expect((await left())[0]).toEqual({ id: 'ltr_070' })
})

test('a letter that somebody works on is passed over', async (context) => {
  if (!place.url) return context.skip('the embedded database has one connection')
  const holder = await database.pool.connect()
  await holder.query(`begin; select from letters where id = 'ltr_000' for update`)
  const { changed } = await removeOldLetters(database.pool, { after: null, keep: 30 * DAY, size: 10 })
  await holder.query('rollback')
  holder.release()
  expect(changed).toBe(9)
  expect((await left())[0]).toEqual({ id: 'ltr_000' })
})

import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from './database.ts'

let place: TestDatabase
let database: Database
beforeEach(async () => {
  place = await createTestDatabase()
  database = await place.open()
})
afterEach(() => place.drop())

const ask = { text: 'select 1 as one', values: [] }

test('whoever has the turn works, and what comes of it is handed back', async () => {
  const rows = await database.inTurn('work', async (connection) => (await connection.query(ask)).rows)
  expect(rows).toEqual([{ one: 1 }])
})

test('while one is at it another process is told so at once, for this work and no other', async (context) => {
  context.skip(!place.url, 'the embedded database serves one process')
  const other = await place.open()
  const during = await database.inTurn('work', async () => [
    await other.inTurn('work', async () => 'twice'),
    await other.inTurn('other work', async () => 'meanwhile'),
  ])
  expect(during).toEqual([null, 'meanwhile'])
  expect(await other.inTurn('work', async () => 'afterwards')).toBe('afterwards')
})

test('takes none of the connections with which people are answered', async (context) => {
  context.skip(!place.url, 'the embedded database has one connection')
  const during = await database.inTurn('work', async (connection) => {
    await connection.query(ask)
    return database.pool.totalCount
  })
  expect(during).toBe(0)
})

test('work that fails ends its turn, and so does a lost connection', async (context) => {
  context.skip(!place.url, 'the embedded database serves one process')
  const failing = database.inTurn('work', () => Promise.reject(new Error('no')))
  await expect(failing).rejects.toThrow('no')
  const lost = database.inTurn('work', async (connection) => {
    const { rows } = await connection.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid' })
    await database.pool.query('select pg_terminate_backend($1)', [rows[0]!.pid])
    await connection.query(ask)
  })
  await expect(lost).rejects.toThrow()
  await expect.poll(() => database.inTurn('work', async () => 'again')).toBe('again')
})

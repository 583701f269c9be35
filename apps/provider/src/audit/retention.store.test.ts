import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { DAY } from '../lib/clock.ts'
import { removeOld, shortenAddresses } from './retention.store.ts'

let place: TestDatabase
let pool: Pool

beforeAll(async () => {
  place = await createTestDatabase()
  pool = (await place.open()).pool
})
afterAll(() => place.drop())
beforeEach(() => pool.query('delete from audit_events'))

const record = (id: string, days: number, ip: string | null = null) =>
  pool.query(
    `insert into audit_events (id, at, type, ip)
     values ($1, date_trunc('day', now()) - $2 * interval '1 day', 'sign_in.succeeded', $3)`,
    [id, days, ip],
  )
const left = async () => (await pool.query('select id, ip from audit_events order by id')).rows

test('events go when they are older than they may be, the oldest first', async () => {
  await record('a', 364)
  for (const id of ['b', 'c', 'd']) await record(id, 367)
  const keep = 365 * DAY
  expect(await removeOld(pool, { keep, size: 2 })).toMatchObject({ changed: 2, more: true })
  expect(await removeOld(pool, { keep, size: 2 })).toMatchObject({ changed: 1, more: false })
  expect(await left()).toEqual([{ id: 'a', ip: null }])
})

test('old addresses lose their host part, young ones do not', async () => {
  await record('a', 92, '192.0.2.77')
  await record('b', 91, '2001:db8:7:8::9')
  await record('c', 91, 'unknown')
  await record('d', 91)
  await record('e', 89, '192.0.2.77')
  const done = await shortenAddresses(pool, { after: null, keep: 90 * DAY, size: 10 })
  expect(done).toMatchObject({ changed: 3, more: false })
  expect(await left()).toEqual([
    { id: 'a', ip: '192.0.2.0/24' },
    { id: 'b', ip: '2001:db8:7::/48' },
    { id: 'c', ip: null },
    { id: 'd', ip: null },
    { id: 'e', ip: '192.0.2.77' },
  ])
})

test('the next slice begins where this one ended, also among events of one moment', async () => {
  for (const id of ['a', 'b', 'c', 'd', 'e']) await record(id, 91, '192.0.2.77')
  const whole = async () => (await left()).filter(({ ip }) => ip === '192.0.2.77').map(({ id }) => id)
  const first = await shortenAddresses(pool, { after: null, keep: 90 * DAY, size: 2 })
  expect(first).toMatchObject({ changed: 2, more: true })
  expect(await whole()).toEqual(['c', 'd', 'e'])
  await shortenAddresses(pool, { after: first.next, keep: 90 * DAY, size: 2 })
  expect(await whole()).toEqual(['e'])
})

test('whoever comes again to where nothing is left to do keeps the place', async () => {
  await record('a', 91, '192.0.2.77')
  const { next } = await shortenAddresses(pool, { after: null, keep: 90 * DAY, size: 2 })
  const again = await shortenAddresses(pool, { after: next, keep: 90 * DAY, size: 2 })
  expect(again).toEqual({ changed: 0, next, more: false })
})

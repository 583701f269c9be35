import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Connection } from '../db/database.ts'
import { HOUR, MINUTE } from '../lib/clock.ts'
import { type Position, removeExpired } from './retention.store.ts'

let place: TestDatabase
let pool: Pool

beforeAll(async () => {
  place = await createTestDatabase()
  pool = (await place.open()).pool
})
afterAll(() => place.drop())
beforeEach(() => pool.query('delete from artifacts'))

type Row = { kind?: string; grant?: string; consumed?: boolean }

/** Written `minutes` before its end; negative: so long after it. */
const keep = (id: string, minutes: number | null, { kind = 'RefreshToken', grant, consumed }: Row = {}) =>
  pool.query(
    `insert into artifacts (kind, id, grant_id, payload, expires_at, consumed_at)
     values ($1, $2, $3, '{}', now() + $4 * interval '1 min', case when $5::boolean then now() end)`,
    [kind, id, grant ?? null, minutes, consumed ?? false],
  )

const left = async () =>
  (await pool.query<{ id: string }>('select id from artifacts order by id')).rows.map(({ id }) => id)

/** All slices, one after the other: how many rows each removed. */
async function removeAll(size = 1000): Promise<number[]> {
  const removed: number[] = []
  let after: Position | null = null
  do {
    const slice = await removeExpired(pool, { after, margin: HOUR, size })
    removed.push(slice.changed)
    after = slice.next
  } while (after)
  return removed.slice(0, -1)
}

describe('what goes', () => {
  test('is what expired longer ago than the margin, of whatever kind', async () => {
    await keep('living', 1)
    await keep('late', -59)
    await keep('gone', -61)
    await keep('session', -61, { kind: 'Session' })
    await keep('assertion', -61, { kind: 'ReplayDetection' })
    await removeAll()
    expect(await left()).toEqual(['late', 'living'])
  })

  test('is never what has no end', async () => {
    await keep('for ever', null, { kind: 'RegistrationAccessToken' })
    await keep('consumed for ever', null, { consumed: true, grant: 'g' })
    expect(await removeAll()).toEqual([0])
    expect(await left()).toHaveLength(2)
  })

  test('goes slice by slice, each as large as was asked for', async () => {
    for (let n = 0; n < 5; n++) await keep(`gone ${n}`, -61)
    await keep('living', 1)
    expect(await removeAll(2)).toEqual([2, 2, 1])
    expect(await left()).toEqual(['living'])
  })

  test('goes from the beginning to the end whatever the kinds and ids are', async () => {
    for (const kind of ['Zebra', 'a', 'Ä', 'Session'])
      for (const id of ['', 'Z', 'z', '€']) await keep(`${id} ${kind}`, -61, { kind })
    expect((await removeAll(3)).reduce((sum, removed) => sum + removed)).toBe(16)
    expect(await left()).toEqual([])
  })
})

describe('what was consumed', () => {
  const consumed = { grant: 'family', consumed: true }

  test.each(['RefreshToken', 'AccessToken', 'AuthorizationCode', 'DeviceCode'])(
    'stays as long as a living %s of its family is there, and goes with the last one',
    async (kind) => {
      await keep('code', -600, { ...consumed, kind: 'AuthorizationCode' })
      await keep('first', -600, consumed)
      await keep('relative', 1, { kind, grant: 'family' })
      await removeAll()
      expect(await left()).toEqual(['code', 'first', 'relative'])

      await pool.query(`update artifacts set expires_at = now() - interval '61 min' where id = 'relative'`)
      await removeAll()
      expect(await left()).toEqual([])
    },
  )

  test('stays with a relative that has no end, or one that ended within the margin', async () => {
    await keep('code', -600, { ...consumed, kind: 'AuthorizationCode' })
    await keep('relative', null, { grant: 'family' })
    await removeAll()
    expect(await left()).toContain('code')
    await pool.query(`update artifacts set expires_at = now() - interval '59 min' where id = 'relative'`)
    await removeAll()
    expect(await left()).toContain('code')
  })

  test('stays or goes by its family, whether or not the grant itself is still there', async () => {
    await keep('living family', -600, consumed)
    await keep('its token', 1, { grant: 'family' })
    await keep('dead family', -600, { grant: 'other', consumed: true })
    await keep('other', 600, { kind: 'Grant' })
    await removeAll()
    expect(await left()).toEqual(['its token', 'living family', 'other'])
  })

  test('without a grant goes when it has expired', async () => {
    await keep('pushed request', -61, { kind: 'PushedAuthorizationRequest', consumed: true })
    await removeAll()
    expect(await left()).toEqual([])
  })
})

test('a row that a transaction holds is passed over, not waited for, and goes the next time', async (context) => {
  context.skip(!place.url, 'the embedded database has one connection')
  await keep('held', -61)
  await keep('free', -61)
  const holder = await pool.connect()
  await holder.query('begin')
  await holder.query(`select from artifacts where id = 'held' for key share`)
  expect(await removeAll()).toEqual([1])
  expect(await left()).toEqual(['held'])
  await holder.query('commit')
  holder.release()
  await removeAll()
  expect(await left()).toEqual([])
})

test('a session that is renewed at this moment is not removed', async (context) => {
  context.skip(!place.url, 'the embedded database has one connection')
  await keep('renewed', -61, { kind: 'Session' })
  const renewing = await pool.connect()
  await renewing.query('begin')
  await renewing.query(`update artifacts set expires_at = now() + interval '1 day' where id = 'renewed'`)
  expect(await removeAll()).toEqual([0])
  await renewing.query('commit')
  renewing.release()
  expect(await left()).toEqual(['renewed'])
})

describe('however the planner is set', () => {
  /** Tells the plan instead of running the statement. */
  const explaining = (plans: string[]): Connection => ({
    async query({ text, values }: Parameters<Connection['query']>[0]) {
      const { rows } = await pool.query(`explain ${text}`, values)
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
      return { rows: [] } as never
    },
  })

  test.each(['off', 'on'])(
    'a slice reads the two indexes and no table (enable_seqscan = %s)',
    async (seqscan) => {
      await pool.query(
        `insert into artifacts (kind, id, grant_id, payload, expires_at, consumed_at)
       select 'RefreshToken', md5(n::text), md5((n / 10)::text), '{}', now() + (n % 2 - 0.5) * interval '4 h', now()
         from generate_series(1, 20000) n`,
      )
      await pool.query('analyze artifacts')
      const plans: string[] = []
      await pool.query(`set enable_seqscan = ${seqscan}`)
      const connection = explaining(plans)
      await removeExpired(connection, { after: { kind: 'RefreshToken', id: 'm' }, margin: HOUR, size: 1000 })
      await pool.query('reset enable_seqscan')
      expect(plans[0]).toMatch(/Index Scan using artifacts_pkey/)
      expect(plans[0]).toMatch(/Index Scan Backward using artifacts_grant_id_idx/)
      expect(plans[0]).not.toMatch(/Seq Scan/)
    },
  )
})

test('the margin is counted by the clock of the database', async () => {
  await keep('gone', -10)
  await removeExpired(pool, { after: null, margin: 11 * MINUTE, size: 10 })
  expect(await left()).toEqual(['gone'])
  await removeExpired(pool, { after: null, margin: 9 * MINUTE, size: 10 })
  expect(await left()).toEqual([])
})

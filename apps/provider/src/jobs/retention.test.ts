import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { PRESETS } from '../config/factors.ts'
import type { Database } from '../db/database.ts'
import { DAY, HOUR } from '../lib/clock.ts'
import { type Log, silentLog } from '../lib/log.ts'
import { createRetention } from './retention.ts'

const POLICY = {
  retention: { expired: HOUR, audit: 365 * DAY, audit_ip: 90 * DAY, letters: 30 * DAY },
  factors: { ...PRESETS.balanced, preset: 'balanced' as const },
  registration: { open: true, confirmation: 'first' as const, unconfirmed: 3 * DAY },
}
const ROWS = 50

let place: TestDatabase
let database: Database
beforeEach(async () => {
  place = await createTestDatabase()
  database = await place.open()
  await database.pool.query(
    `insert into artifacts (kind, id, payload, expires_at)
     select 'AccessToken', n::text, '{}', now() - interval '2 h' from generate_series(1, $1) n`,
    [ROWS],
  )
})
afterEach(() => place.drop())

const going = () => new AbortController().signal
const left = async () =>
  (await database.pool.query<{ rows: number }>('select count(*)::int as rows from artifacts')).rows[0]!.rows

type Line = { level: string; what: Record<string, unknown> }

function listening() {
  const lines: Line[] = []
  const at = (level: string) => (what: Record<string, unknown>) => void lines.push({ level, what })
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } as Log }
}

const retention = (more: Partial<Parameters<typeof createRetention>[0]> = {}) =>
  createRetention({ database, policy: POLICY, log: silentLog, rest: async () => {}, size: 10, ...more })

test('one run goes through everything that is kept, and says what it did in one line', async () => {
  const { pool } = database
  await pool.query(`insert into rate_limits (key, points, expire) values ('a', 1, 1)`)
  await pool.query(
    `insert into audit_events (id, at, type, ip) values
     ('old', now() - interval '366 d', 'x', '192.0.2.1'), ('older', now() - interval '91 d', 'x', '192.0.2.1')`,
  )
  await pool.query(
    `insert into letters (id, kind, created_at) values ('old', 'code', now() - interval '31 d')`,
  )
  const ada = { id: 'usr_ada', email: 'ada', emailCanonical: 'ada', emailVerifiedAt: new Date() }
  const device = { id: 'crd_1', type: 'trusted-device', identifier: 'one', data: {} }
  await database.prisma.user.create({ data: { ...ada, credentials: { create: device } } })
  const { lines, log } = listening()
  const job = retention({ log })
  await job.run(going())
  await job.run(going())
  expect(lines).toEqual([
    {
      level: 'info',
      what: {
        artifacts: ROWS,
        limits: 1,
        challenges: 0,
        devices: 1,
        unconfirmed: 0,
        events: 1,
        addresses: 1,
        letters: 1,
      },
    },
    {
      level: 'debug',
      what: {
        artifacts: 0,
        limits: 0,
        challenges: 0,
        devices: 0,
        unconfirmed: 0,
        events: 0,
        addresses: 0,
        letters: 0,
      },
    },
  ])
})

test('told to stop in the middle it finishes its step and leaves the rest for another time', async () => {
  const stopping = new AbortController()
  const job = retention({ rest: async () => stopping.abort() })
  await job.run(stopping.signal)
  expect(await left()).toBe(ROWS - 10)
  await job.run(stopping.signal)
  expect(await left()).toBe(ROWS - 10)
  await retention().run(going())
  expect(await left()).toBe(0)
})

test('what fails in one place is told, and the other places are cleared all the same', async () => {
  await database.pool.query('alter table artifacts rename to elsewhere')
  await database.pool.query(`insert into rate_limits (key, points, expire) values ('a', 1, 1)`)
  const { lines, log } = listening()
  await retention({ log }).run(going())
  expect(lines.map(({ level, what }) => [level, what['rows'] ?? what['limits']])).toEqual([
    ['error', 'artifacts'],
    ['info', 1],
  ])
})

describe('several instances', () => {
  beforeEach((context) => context.skip(!place.url, 'the embedded database serves one process'))

  test('while one is at it the others leave it alone', async () => {
    const other = await place.open()
    const { lines, log } = listening()
    let asked = 0
    const rest = async () => {
      asked++
      await retention({ database: other, log }).run(going())
    }
    await retention({ rest }).run(going())
    expect(asked).toBeGreaterThan(3)
    expect(new Set(lines.map(({ level }) => level))).toEqual(new Set(['debug']))
    expect(lines).toHaveLength(asked)
    expect(await left()).toBe(0)
  })

  test('two that are at it all the same neither wait for each other nor count a row twice', async () => {
    const everybody: Pick<Database, 'inTurn'> = { inTurn: (_, work) => work(database.pool) }
    const { lines, log } = listening()
    const jobs = Array.from({ length: 4 }, () => retention({ database: everybody, log, size: 3 }))
    await Promise.all(jobs.map((job) => job.run(going())))
    const removed = lines.map(({ what }) => Number(what['artifacts']))
    expect(removed.reduce((sum, rows) => sum + rows)).toBe(ROWS)
    expect(await left()).toBe(0)
  })
})

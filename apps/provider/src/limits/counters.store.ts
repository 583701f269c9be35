// The counters in PostgreSQL. What requests ask of them in one turn of the event loop travels together.
import type { Pool } from 'pg'
import { createBatches } from '../db/batches.ts'
import type { Log } from '../lib/log.ts'

/** What stands under a key afterwards, and for how many milliseconds yet. */
export type Count = { points: number; left: number }

export type Counters = {
  /** Adds to a counter whose time is not over, or begins one that lives `ms`. Each of those who add hears its own count. */
  add(key: string, points: number, ms: number): Promise<Count>
  /** Takes points back. What is over or gone stays so, and nothing falls below zero: nobody gains tries. */
  giveBack(key: string, points: number): Promise<void>
  /** True when there was one. */
  remove(key: string): Promise<boolean>
  set(key: string, points: number, ms: number): Promise<Count>
}

type Addition = { key: string; points: number; ms: number }
/** Without points: away with the whole counter. */
type Return = { key: string; points: number | null }

/** One clock for all instances: the database's, in milliseconds since 1970. */
const NOW = 'extract(epoch from now()) * 1000'

/** Rows in the order of their keys, here and below: who locks crosswise waits for ever. */
const ADD = `
  insert into rate_limits as kept (key, points, expire)
  select key, points, ${NOW} + ms
    from unnest($1::text[], $2::int[], $3::float8[]) as asked (key, points, ms) order by key
  on conflict (key) do update set
    points = excluded.points + case when kept.expire <= ${NOW} then 0 else kept.points end,
    expire = case when kept.expire <= ${NOW} then excluded.expire else kept.expire end
  returning key, points, (expire - ${NOW})::float8 as left`

const RETURN = `
  with asked as (select * from unnest($1::text[], $2::int[]) as asked (key, points)),
  held as materialized (select key from rate_limits where key = any ($1) order by key for update),
  removed as (
    delete from rate_limits using held join asked using (key)
     where rate_limits.key = any ($1) and rate_limits.key = held.key and asked.points is null
    returning rate_limits.key
  ), returned as (
    update rate_limits set points = greatest(rate_limits.points - asked.points, 0)
      from held join asked using (key)
     where rate_limits.key = any ($1) and rate_limits.key = held.key and asked.points is not null
       and rate_limits.expire > ${NOW}
  )
  select key from removed`

const SET = `
  insert into rate_limits (key, points, expire) values ($1, $2, ${NOW} + $3::float8)
  on conflict (key) do update set points = excluded.points, expire = excluded.expire
  returning points, (expire - ${NOW})::float8 as left`

const BATCH = { lanes: 2, size: 500 }

/** Failures are logged here: whoever asks goes on with a stricter count of its own, and nobody would notice. */
export function createCounters(pool: Pool, log: Log): Counters {
  async function query<Row extends object>(name: string, text: string, values: unknown[]): Promise<Row[]> {
    try {
      return (await pool.query<Row>({ name: `limits.${name}`, text, values })).rows
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'the database did not count tries, this process does')
      throw error
    }
  }

  const add = createBatches<Addition, Count>({
    ...BATCH,
    async send(additions) {
      const sums = sumUp(additions)
      const columns = [
        [...sums.keys()],
        [...sums.values()].map((s) => s.points),
        [...sums.values()].map((s) => s.ms),
      ]
      const rows = await query<Count & { key: string }>('add', ADD, columns)
      return share(additions, new Map(rows.map((row) => [row.key, row])))
    },
  })

  const back = createBatches<Return, boolean>({
    ...BATCH,
    async send(returns) {
      const sums = new Map<string, number | null>()
      for (const { key, points } of returns) {
        const known = sums.get(key)
        sums.set(key, points === null || known === null ? null : (known ?? 0) + points)
      }
      const rows = await query<{ key: string }>('return', RETURN, [[...sums.keys()], [...sums.values()]])
      const removed = new Set(rows.map(({ key }) => key))
      return returns.map(({ key }) => removed.has(key))
    },
  })

  return {
    add: (key, points, ms) => add({ key, points, ms }),
    giveBack: async (key, points) => void (await back({ key, points })),
    remove: (key) => back({ key, points: null }),
    set: async (key, points, ms) => (await query<Count>('set', SET, [key, points, ms]))[0]!,
  }
}

/** One statement cannot touch a row twice. A new counter lives as long as the first who asked for it said. */
function sumUp(additions: Addition[]): Map<string, Addition> {
  const sums = new Map<string, Addition>()
  for (const addition of additions) {
    const known = sums.get(addition.key)
    sums.set(addition.key, known ? { ...known, points: known.points + addition.points } : addition)
  }
  return sums
}

/** As if they had come one after the other: the last one hears the whole sum. */
function share(additions: Addition[], counts: Map<string, Count>): Count[] {
  return additions
    .toReversed()
    .map(({ key, points }) => {
      const { points: total, left } = counts.get(key)!
      counts.set(key, { points: total - points, left })
      return { points: total, left }
    })
    .reverse()
}

import type { Pool, PoolClient, QueryConfig } from 'pg'
import { rowId } from '../../../src/artifacts/artifact.ts'

/** Where requests meet, how many statements are to wait there, and what is to happen while they do. */
type Meeting = {
  at: QueryConfig
  waiting: number
  /** `holder` is the connection whose transaction they wait for. */
  meanwhile?: (holder: PoolClient) => Promise<unknown>
}

/** All have read the artefact and found it unused; none has written it. */
export const artifact = (kind: string, id: string): QueryConfig => ({
  text: 'select from artifacts where kind = $1 and id = $2 for update',
  values: [kind, rowId(kind, id)],
})

/** All have seen what is there; none has written anything. */
export const table: QueryConfig = { text: 'lock table artifacts in share mode' }

/** Lets requests meet in the worst moment: a lock is held until all of them wait for it, then let go. */
export async function meet<T>(
  pool: Pool,
  { at, waiting, meanwhile }: Meeting,
  start: () => Promise<T>[],
): Promise<T[]> {
  const holder = await pool.connect()
  try {
    await holder.query('begin')
    await holder.query(at)
    const answers = Promise.all(start())
    while ((await countWaiting(pool)) < waiting);
    await meanwhile?.(holder)
    await holder.query('commit')
    return await answers
  } finally {
    holder.release()
  }
}

const countWaiting = (pool: Pool) => countBackends(pool, "wait_event_type = 'Lock'")

export const countBusy = (pool: Pool) => countBackends(pool, "state <> 'idle' and pid <> pg_backend_pid()")

async function countBackends(pool: Pool, condition: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity where datname = current_database() and ${condition}`,
  )
  return rows[0]?.count ?? 0
}

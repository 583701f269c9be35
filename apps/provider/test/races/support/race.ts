// What every race needs: a database of its own and processes on it, all gone afterwards.
import type { Pool } from 'pg'
import { rowId } from '../../../src/artifacts/artifact.ts'
import { createTestDatabase, realPostgresUrl } from '../../support/database.ts'
import { countBusy } from './barrier.ts'
import { type ProviderProcess, startProvider, type Variant } from './processes.ts'

export const REFRESH_WINDOW = 10_000

/** The embedded database serves one process; a race between two needs a real PostgreSQL. */
export const canRace = (await realPostgresUrl()) !== null

export type RaceCourse = {
  pool: Pool
  /** Two new processes of one kind; their origins. */
  startPair(variant?: Variant, window?: number): Promise<[string, string]>
  start(variant?: Variant, window?: number): Promise<ProviderProcess>
  /** Makes one artefact older. */
  age(kind: string, id: string, seconds: number): Promise<void>
  /** Resolved when the database works for nobody any more, not even for those who will not hear of it. */
  quiet(): Promise<void>
  clear(): Promise<void>
}

export async function prepareRaces(): Promise<RaceCourse> {
  const database = await createTestDatabase()
  const { pool } = await database.open()
  const processes: ProviderProcess[] = []

  async function start(variant: Variant = 'real', window = REFRESH_WINDOW) {
    const started = await startProvider(database.url!, window, variant)
    processes.push(started)
    return started
  }
  return {
    pool,
    start,
    async startPair(variant, window) {
      const [one, other] = await Promise.all([start(variant, window), start(variant, window)])
      return [one.origin, other.origin]
    },
    async age(kind, id, seconds) {
      await pool.query(
        `update artifacts set expires_at = expires_at - $3 * interval '1 s',
           consumed_at = consumed_at - $3 * interval '1 s' where kind = $1 and id = $2`,
        [kind, rowId(kind, id), seconds],
      )
    },
    async quiet() {
      while ((await countBusy(pool)) > 0);
    },
    async clear() {
      await Promise.all(processes.map((each) => each.stop()))
      await database.drop()
    },
  }
}

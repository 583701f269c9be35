// Counts what this process asks of PostgreSQL: every message that waits for an answer is one round trip.
import pg from 'pg'
import type { DatabaseFacts, PostgresProcess } from './questions.ts'

type Query = (this: pg.Client, ...args: unknown[]) => unknown
type Named = { name?: string; text?: string }

/** From here on every client of this process is counted; call it before the first one is made. */
export function countStatements() {
  const clients = new Set<pg.Client>()
  const ask = pg.Client.prototype.query as unknown as Query
  let count = 0
  let trace: string[] | null = null

  const counted: Query = function (...args) {
    count++
    trace?.push(nameOf(args[0]))
    if (!clients.has(this)) {
      clients.add(this)
      this.once('end', () => clients.delete(this))
    }
    return ask.apply(this, args)
  }
  pg.Client.prototype.query = counted as unknown as typeof pg.Client.prototype.query

  const uncounted = async <Row>(client: pg.Client, text: string): Promise<Row[]> =>
    ((await ask.call(client, text)) as { rows: Row[] }).rows
  /** Those that are still there: the pool lets go of connections, and the queue of letters has its own. */
  const flushed = async (): Promise<pg.Client[]> => {
    const all = [...clients]
    const flush = (client: pg.Client) => uncounted(client, 'select pg_stat_force_next_flush()')
    const results = await Promise.allSettled(all.map(flush))
    return all.filter((_, index) => results[index]?.status === 'fulfilled')
  }
  const liveClient = async (): Promise<pg.Client> => {
    const [client] = await flushed()
    if (!client) throw new Error('no connection to the database yet')
    return client
  }

  return {
    /** So far. Who reads it no longer traces, for a trace of a whole round would fill the memory. */
    total(): number {
      trace = null
      return count
    },

    /** The statements since this was last called. */
    trace(): string[] {
      const seen = trace ?? []
      trace = []
      return seen
    },

    /** Rows written by anyone to this database, the calls before this one included. */
    async rowsWritten(): Promise<number> {
      // A backend keeps its figures back for up to 10 s unless it is told.
      const [row] = await uncounted<{ rows: string }>(
        await liveClient(),
        'select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) as rows from pg_stat_user_tables',
      )
      return Number(row?.rows)
    },

    processes: async (): Promise<PostgresProcess[]> =>
      uncounted<PostgresProcess>(
        await liveClient(),
        `select pid, case when datname = current_database() then 'us' when datname is null then 'everyone' else 'others' end as for
           from pg_stat_activity`,
      ),

    async facts(): Promise<DatabaseFacts> {
      const [row] = await uncounted<DatabaseFacts>(
        await liveClient(),
        `select current_setting('server_version') as version, current_setting('fsync') as fsync,
                current_setting('synchronous_commit') as "synchronousCommit"`,
      )
      return row!
    },
  }
}

function nameOf(query: unknown): string {
  const { name, text } = typeof query === 'string' ? { name: '', text: query } : (query as Named)
  const shown = (text ?? '').replace(/\s+/g, ' ').slice(0, 100)
  return name && !name.startsWith('prisma_') ? name : shown
}

// The Prisma client, the pool, transactions, notifications, the embedded PostgreSQL and migrations.
import type { Pool, QueryConfig, QueryResult, QueryResultRow } from 'pg'
import type { PrismaClient } from './generated/client.ts'
import type { Notifications } from './notifications.ts'

/** What carries statements one by one, a pool or a connection. */
export type Connection = {
  query<R extends QueryResultRow>(statement: QueryConfig): Promise<QueryResult<R>>
}

/**
 * Does work that only one process at a time may do, however many serve this database; null, at once, while another is at
 * it. It must go on by itself where it was left: a lost connection ends it in the middle.
 */
export type Turns = <T>(name: string, work: (connection: Connection) => Promise<T>) => Promise<T | null>

/** The one door to PostgreSQL, real or embedded; the code above it cannot tell which. */
export type Database = {
  /** Hot paths send named prepared statements through it; Prisma shares it. Of size 1 when embedded. */
  pool: Pool
  prisma: PrismaClient
  embedded: boolean
  inTurn: Turns
  /** Silent when embedded. */
  notifications: Notifications
  close(): Promise<void>
}

/** Does it answer within `timeout` ms? A database too slow for that is of no use to anybody who waits. */
export function pingDatabase({ pool }: Pick<Database, 'pool'>, timeout: number): Promise<boolean> {
  const answered = pool.query('select 1').then(
    () => true,
    () => false,
  )
  const late = new Promise<boolean>((resolve) => setTimeout(resolve, timeout, false).unref())
  return Promise.race([answered, late])
}

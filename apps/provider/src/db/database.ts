// The Prisma client, the pool, transactions, the embedded PostgreSQL and migrations.
import type { Pool } from 'pg'
import type { PrismaClient } from './generated/client.ts'

/** The one door to PostgreSQL, real or embedded; the code above it cannot tell which. */
export type Database = {
  /** Hot paths send named prepared statements through it; Prisma shares it. Of size 1 when embedded. */
  pool: Pool
  prisma: PrismaClient
  embedded: boolean
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

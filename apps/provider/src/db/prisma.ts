import { PrismaPg } from '@prisma/adapter-pg'
import type { Pool } from 'pg'
import { SECOND } from '../lib/clock.ts'
import { PrismaClient } from './generated/client.ts'

/** More texts than Anteroom has; a text that varies (a list of values) must not fill PostgreSQL's memory. */
const STATEMENTS_MAX = 1000

/** Prisma over our own pool, its statements prepared once per connection as ours are. */
export function createPrisma(pool: Pool): PrismaClient {
  return new PrismaClient({
    adapter: new PrismaPg(pool, { statementNameGenerator: nameStatements() }),
    // The pool says how long to wait for a connection.
    transactionOptions: { maxWait: 60 * SECOND },
    errorFormat: 'minimal',
  })
}

/** The same text gets the same name. Beyond the maximum none is given: the statement runs unprepared. */
export function nameStatements(max = STATEMENTS_MAX): (query: { sql: string }) => string {
  const names = new Map<string, string>()
  return ({ sql }) => {
    const known = names.get(sql)
    if (known !== undefined) return known
    if (names.size >= max) return ''
    const name = `prisma_${names.size + 1}`
    names.set(sql, name)
    return name
  }
}

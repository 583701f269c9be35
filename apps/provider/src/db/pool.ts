import { Socket } from 'node:net'
import { type ClientBase, Pool, type PoolConfig } from 'pg'
import { SECOND } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'

export type Address = {
  /** Where a PostgreSQL is to be reached. */
  connection: PoolConfig
  /** What is said first on every new connection. */
  greeting: string[]
  /** Told when it has not answered for so long that it never will. */
  onSilence?: () => void
}

export type Server = { address: Address; stop(): Promise<void> }

/** Nobody waits longer than this: not for a connection, a lock or an answer. */
const WAITS: PoolConfig = {
  connectionTimeoutMillis: 2 * SECOND,
  statement_timeout: 5 * SECOND,
  lock_timeout: 2 * SECOND,
  idle_in_transaction_session_timeout: 10 * SECOND,
}

/**
 * The server ends every statement after 5 s and every idle transaction after 10 s. A connection in use that stays
 * silent for longer has lost its server without being told: a stopped machine, a cut cable.
 */
const SILENCE = 12 * SECOND

/**
 * A statement is planned once, and always along an index. Left to itself PostgreSQL plans for the few rows a young table
 * has, keeps that plan, and reads the whole table with it when the rows are a million; or plans anew each time, which
 * costs more than the statement. Compiling such short statements would cost more still.
 */
const PLANS = 'set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set jit = off'

/** A pool that outlives its database: lost connections are logged and replaced, and every wait has an end. */
export function createPool({ connection, greeting, onSilence }: Address, log: Log, silence = SILENCE): Pool {
  const pool = new Pool({
    ...COMMON,
    ...WAITS,
    ...connection,
    async onConnect(client) {
      const socket = socketOf(client)
      socket?.setTimeout(silence)
      socket?.on('timeout', () => {
        socket.destroy(new DatabaseSilent(silence))
        onSilence?.()
      })
      await greet(client, [...greeting, PLANS])
    },
  })
  logLosses(pool, log)
  pool.on('acquire', (client) => socketOf(client)?.setTimeout(silence))
  pool.on('release', (_, client) => socketOf(client)?.setTimeout(0))
  return pool
}

/**
 * One connection without those limits, for migrations. It is never replaced: what it holds (a lock, a transaction)
 * would be gone without anybody noticing.
 */
export function createPatientConnection({ connection, greeting }: Address, log: Log): Pool {
  let used = false
  const pool = new Pool({
    ...COMMON,
    connectionTimeoutMillis: 10 * SECOND,
    ...connection,
    max: 1,
    idleTimeoutMillis: 0,
    async onConnect(client) {
      if (used) throw new Error('Connection terminated unexpectedly')
      used = true
      await greet(client, greeting)
    },
  })
  logLosses(pool, log)
  return pool
}

const COMMON: PoolConfig = { keepAlive: true, application_name: 'anteroom' }

async function greet(client: ClientBase, greeting: string[]) {
  for (const statement of greeting) await client.query(statement)
}

/** Without a listener, a connection that is lost, idle or in somebody's hands, would end the process. */
function logLosses(pool: Pool, log: Log) {
  pool.on('connect', (client) => client.on('error', () => undefined))
  pool.on('error', ({ message }) => log.warn({ reason: message }, 'lost a connection to the database'))
}

/** The connection was given up: the server neither answered nor ended the statement. */
class DatabaseSilent extends Error {
  readonly code = 'ETIMEDOUT'
  constructor(silence: number) {
    super(`PostgreSQL has not answered for ${silence / SECOND} s`)
  }
}

/** The connection's own socket; null for what does not show it. */
export function socketOf(client: ClientBase): Socket | null {
  const stream = 'connection' in client ? (client.connection as { stream?: unknown }).stream : null
  return stream instanceof Socket ? stream : null
}

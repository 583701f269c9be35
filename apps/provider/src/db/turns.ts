import type { Log } from '../lib/log.ts'
import type { Turns } from './database.ts'
import { type Address, createPool } from './pool.ts'

/**
 * Whose turn it is a lock of the session tells: it ends with its connection, whatever ends that. The connection is not
 * one of the pool's, so that nobody who waits for an answer lacks one. The embedded database needs none of this: its
 * folder admits one process, and its one connection has to be shared statement by statement.
 */
export function createTurns(address: Address, log: Log): Turns {
  const one = { ...address, connection: { ...address.connection, max: 1 } }
  return async (name, work) => {
    const own = createPool(one, log)
    try {
      const client = await own.connect()
      // Lost between two statements: the next one says so.
      client.on('error', () => {})
      const lock = [`anteroom:${name}`]
      try {
        const { rows } = await client.query('select pg_try_advisory_lock(hashtext($1)) as mine', lock)
        if (!rows[0].mine) return null
        const result = await work(client)
        await client.query('select pg_advisory_unlock(hashtext($1))', lock)
        return result
      } finally {
        client.release()
      }
    } finally {
      await own.end()
    }
  }
}

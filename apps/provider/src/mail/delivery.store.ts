// What becomes of a letter after it was posted: queued, sent or given up; always one row, read and written by its id.
import type { Pool, PoolClient } from 'pg'
import { notification } from '../db/notifications.ts'
import { LETTERS_TOPIC } from './outbox.store.ts'

export type WaitingLetter = {
  id: string
  kind: string
  sealed: Uint8Array
  isUseless: boolean
  isOld: boolean
}

/** A letter as the development mailbox shows it. */
export type KeptMessage = {
  id: string
  /** ISO 8601. */
  at: string
  to: string
  subject: string
  text: string
  html: string
  headers: Record<string, string>
}

export type DeadLetter = { id: string; kind: string; createdAt: Date; failure: string }

/** Statements without a name, as the queue sends them. */
export type Execute = (text: string, values?: unknown[]) => Promise<{ rows: unknown[] }>

export type DeliveryStore = {
  execute: Execute
  /**
   * Hands the ids of letters nobody has queued yet to `enqueue`, which writes through the connection it is given: they
   * are queued once, by one instance, or not at all. How many there were, `limit` at most.
   */
  queueLetters(limit: number, enqueue: (ids: string[], execute: Execute) => Promise<unknown>): Promise<number>
  /** Null when it was sent already, or there is nothing left to send. @param patience milliseconds since it was queued */
  findWaiting(id: string, patience: number): Promise<WaitingLetter | null>
  /** Its content is forgotten; what the development mailbox shows is kept instead. */
  markSent(id: string, message: KeptMessage | null): Promise<void>
  /** Nobody wants it any more; its content is forgotten. */
  drop(id: string): Promise<void>
  /** The first reason stays. */
  giveUp(id: string, why: string): Promise<void>
  listDead(): Promise<DeadLetter[]>
  /** Back to the beginning; false when there is no such dead letter. */
  retryDead(id: string): Promise<boolean>
  /** Newest first. @param to an address in lower case; null lists everybody's */
  listMessages(to: string | null, limit: number): Promise<KeptMessage[]>
  findMessage(id: string): Promise<KeptMessage | null>
}

export function createDeliveryStore(pool: Pool): DeliveryStore {
  const query = async <Row>(text: string, ...values: unknown[]) =>
    (await pool.query(text, values)).rows as Row[]

  return {
    execute: executeOn(pool),
    async queueLetters(limit, enqueue) {
      // Most looks find nothing: they cost no transaction.
      if ((await query(ANY_UNQUEUED)).length === 0) return 0
      return inTransaction(pool, async (client) => {
        const { rows } = await client.query<{ id: string }>(TAKE_UNQUEUED, [limit])
        const ids = rows.map(({ id }) => id)
        if (ids.length) await enqueue(ids, executeOn(client))
        return ids.length
      })
    },
    findWaiting: async (id, patience) => (await query<WaitingLetter>(FIND_WAITING, id, patience))[0] ?? null,
    markSent: async (id, message) => void (await query(MARK_SENT, id, message && JSON.stringify(message))),
    drop: async (id) => void (await query(DROP, id)),
    giveUp: async (id, why) => void (await query(GIVE_UP, id, why)),
    listDead: () => query(LIST_DEAD),
    retryDead: async (id) => (await query(RETRY_DEAD, id)).length === 1,
    async listMessages(to, limit) {
      return (await query<{ message: KeptMessage }>(LIST_MESSAGES, to, limit)).map(({ message }) => message)
    },
    async findMessage(id) {
      return (await query<{ message: KeptMessage }>(FIND_MESSAGE, id))[0]?.message ?? null
    },
  }
}

const executeOn =
  (connection: Pool | PoolClient): Execute =>
  (text, values) =>
    connection.query(text, values)

async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}

const ANY_UNQUEUED = 'select 1 from letters where queued_at is null limit 1'
const TAKE_UNQUEUED = `
  update letters set queued_at = now() where id = any (array (
    select id from letters where queued_at is null order by created_at limit $1 for update skip locked))
  returning id`
const IS_WAITING = 'sent_at is null and sealed is not null'
const FIND_WAITING = `
  select id, kind, sealed, coalesce(expires_at <= now(), false) as "isUseless",
    queued_at <= now() - $2 * interval '1 ms' as "isOld" from letters where id = $1 and ${IS_WAITING}`
const MARK_SENT = `
  update letters set sent_at = now(), sealed = null, failure = null, message = $2::jsonb where id = $1`
const DROP = 'update letters set sealed = null where id = $1'
const GIVE_UP = `update letters set failure = coalesce(failure, $2) where id = $1 and ${IS_WAITING}`
const LIST_DEAD = `
  select id, kind, created_at as "createdAt", failure from letters
   where failure is not null and ${IS_WAITING} order by created_at`
const RETRY_DEAD = `
  update letters set failure = null, queued_at = null where id = $1 and failure is not null and ${IS_WAITING}
  returning id, ${notification(LETTERS_TOPIC)}`
const LIST_MESSAGES = `
  select message from letters where message is not null and ($1::text is null or lower(message->>'to') = $1)
   order by id desc limit $2`
const FIND_MESSAGE = 'select message from letters where id = $1 and message is not null'

// News between instances: one connection that listens to PostgreSQL's notifications, and who wants to know.
import { setTimeout } from 'node:timers/promises'
import { Client } from 'pg'
import { SECOND } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { type Address, socketOf } from './pool.ts'
import type { Scope } from './unit-of-work.ts'

/**
 * A hint, never the news itself: whoever is told looks for themselves, and looks every now and then even when nobody
 * tells them anything. A notification can be lost with its connection, or never come through a pooler.
 */
export type Notifications = {
  /**
   * `look` is called when a change of this topic was committed by anybody, and whenever one may have been missed: now,
   * as soon as it listens, and after a loss. It must not throw. Returns what ends the subscription.
   */
  subscribe(topic: string, look: () => void): () => void
  close(): void
}

const CHANNEL = 'anteroom'
/** So that operators tell it from the pool's connections in `pg_stat_activity`. */
export const APPLICATION_NAME = 'anteroom notifications'

/** Tells every instance about the transaction around it when that commits, and else nobody. */
export async function notify(scope: Scope, topic: string): Promise<void> {
  await scope.client.$executeRaw`select pg_notify(${CHANNEL}, ${topic})`
}

/** The same as an expression of SQL: whatever statement evaluates it tells every instance when it is committed. */
export const notification = (topic: string): string => `pg_notify('${CHANNEL}', '${topic}')`

/** For a database that has one backend, and hence nobody to hear from. */
export const noNotifications: Notifications = { subscribe: () => () => {}, close: () => {} }

const RETRY = { first: SECOND / 10, most: 5 * SECOND }

/** A server that is gone without a word is missed by the kernel's probes, within 20 s. */
const CONNECTION = {
  application_name: APPLICATION_NAME,
  connectionTimeoutMillis: 2 * SECOND,
  query_timeout: 5 * SECOND,
  keepAlive: true,
  keepAliveInitialDelayMillis: 10 * SECOND,
}

/** Connects with the first subscriber; a connection that is lost is replaced for as long as it takes. */
export function createNotifications({ connection }: Address, log: Log): Notifications {
  const subscribers = new Set<{ topic: string; look: () => void }>()
  const closing = new AbortController()
  let state: 'idle' | 'connecting' | 'listening' | 'lost' = 'idle'

  const tell = (topic?: string) => {
    for (const subscriber of subscribers)
      if (topic === undefined || subscriber.topic === topic) subscriber.look()
  }

  /** Listens until the connection is lost, or could not be made; resolves with the reason. */
  async function listen(onListening: () => void): Promise<string> {
    const client = new Client({ ...CONNECTION, ...connection })
    const ended = new Promise((resolve) => client.once('end', resolve))
    // Nothing to add: `end` follows.
    client.on('error', () => {})
    client.on('notification', ({ payload = '' }) => tell(payload))
    // Nothing is lost with it, so nobody waits for a server that may be too far gone to say goodbye.
    const drop = () => socketOf(client)?.destroy()
    closing.signal.addEventListener('abort', drop)
    try {
      await client.connect()
      await client.query(`listen ${CHANNEL}`)
      onListening()
      await ended
      return 'the connection was lost'
    } catch (error) {
      drop()
      return error instanceof Error ? error.message : String(error)
    } finally {
      closing.signal.removeEventListener('abort', drop)
    }
  }

  async function keepListening(): Promise<void> {
    const { signal } = closing
    state = 'connecting'
    let pause = RETRY.first
    const onListening = () => {
      if (state === 'lost') log.info('other instances are heard again')
      state = 'listening'
      pause = RETRY.first
      tell()
    }
    while (!signal.aborted) {
      const reason = await listen(onListening)
      if (signal.aborted) return
      if (state !== 'lost')
        log.warn({ reason }, 'other instances are not heard; their changes are found by looking')
      state = 'lost'
      await setTimeout(pause, undefined, { ref: false, signal }).catch(() => {})
      pause = Math.min(2 * pause, RETRY.most)
    }
  }

  return {
    subscribe(topic, look) {
      const subscriber = { topic, look }
      subscribers.add(subscriber)
      if (state === 'idle') void keepListening()
      if (state === 'listening') look()
      return () => subscribers.delete(subscriber)
    },
    close: () => closing.abort(),
  }
}

// The queue of letters: pg-boss, as far as we use it, and how it is set up.
import { PgBoss } from 'pg-boss'
import { DAY, HOUR, MINUTE, SECOND } from '../lib/clock.ts'
import type { Execute } from '../mail/delivery.store.ts'

export const LETTERS = 'letters'
export const DEAD = 'letters.dead'

/** Milliseconds. */
export type Pace = {
  /** Between two looks for letters that nobody told of. */
  look: number
  /** Between two looks of a worker for jobs that nobody told of: those that are tried again. */
  poll: number
  /** To the second try, about; then about twice as long each time, `retryMost` at most. */
  retry: number
  retryMost: number
  /** A process that has not been heard of for so long is dead, and its letters are anybody's. */
  heartbeat: number
  /** Between two looks for dead processes. */
  supervise: number
  /** How long those that leave finish what they are at. */
  leave: number
}

export const PACE: Pace = {
  look: 5 * SECOND,
  poll: 10 * SECOND,
  retry: 15 * SECOND,
  retryMost: HOUR,
  heartbeat: 30 * SECOND,
  supervise: 30 * SECOND,
  leave: 10 * SECOND,
}

/**
 * On our own pool: its waits have an end, and the embedded database has no second connection to give. Of the queue's own
 * housekeeping only what we use is left on.
 */
export function createBoss(execute: Execute, embedded: boolean, pace: Pace): PgBoss {
  const supervise = whole(pace.supervise)
  return new PgBoss({
    db: asBossDatabase(execute),
    backend: embedded ? 'pglite' : 'postgres',
    schedule: false,
    registerInstance: false,
    reindex: false,
    monitorVacuum: false,
    superviseIntervalSeconds: supervise,
    monitorIntervalSeconds: supervise,
    flowIntervalSeconds: whole(HOUR),
  })
}

export async function makeQueues(boss: PgBoss, pace: Pace): Promise<void> {
  const kept = { deleteAfterSeconds: whole(DAY), retentionSeconds: whole(30 * DAY) }
  const options = {
    ...kept,
    deadLetter: DEAD,
    // More than fit into a day: a letter's own age ends its tries, unless each ends in a crash.
    retryLimit: 60,
    retryBackoff: true,
    retryDelay: whole(pace.retry),
    retryDelayMax: whole(pace.retryMost),
    heartbeatSeconds: whole(pace.heartbeat),
    expireInSeconds: whole(5 * MINUTE),
  }
  await boss.createQueue(DEAD, kept)
  await boss.createQueue(LETTERS, options)
  // What an older version made is brought up to date.
  await boss.updateQueue(LETTERS, options)
  // The queue's description is read now: the relay's transaction holds what may be the only connection.
  await boss.insert(LETTERS, [])
}

/** A connection, or a pool, in the words of pg-boss. */
export const asBossDatabase = (execute: Execute) => ({
  executeSql: execute as (text: string, values?: unknown[]) => Promise<{ rows: never[] }>,
})

export const polling = (pace: Pace) => ({ pollingIntervalSeconds: pace.poll / SECOND })
const whole = (ms: number) => Math.max(1, Math.round(ms / SECOND))

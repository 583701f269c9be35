// Delivers letters: a relay makes a job of each that waits, pg-boss keeps the jobs, workers do them.
import { setTimeout } from 'node:timers/promises'
import { PgBoss } from 'pg-boss'
import type { Notifications } from '../db/notifications.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { DeliveryStore, Execute } from '../mail/delivery.store.ts'
import type { Deliver } from '../mail/delivery.ts'
import { LETTERS_TOPIC } from '../mail/outbox.store.ts'

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
  poll: 5 * SECOND,
  retry: 15 * SECOND,
  retryMost: HOUR,
  heartbeat: 30 * SECOND,
  supervise: 30 * SECOND,
  leave: 10 * SECOND,
}

/** Nobody tells of a letter there. */
const LOOK_EMBEDDED = SECOND / 2

/** How long a letter is tried, in milliseconds, and how many at once: one slow recipient takes one of these places. */
export const DELIVERY = { patience: DAY, atOnce: 5 }

const LETTERS = 'letters'
const DEAD = 'letters.dead'
const RELAYED_AT_ONCE = 100

type Dependencies = {
  store: DeliveryStore
  deliver: Deliver
  embedded: boolean
  notifications: Notifications
  log: Log
  pace?: Partial<Pace>
}

type Job = { id: string; data: { id: string } }

/** Starts by itself, in the background, whenever the database allows; nothing that fails in here stops anybody. */
export function deliverLetters(deps: Dependencies): { stop(): Promise<void> } {
  const { store, deliver, embedded, notifications, log } = deps
  const pace = { ...PACE, ...(embedded && { look: LOOK_EMBEDDED }), ...deps.pace }
  const stopping = new AbortController()
  const workers: string[] = []
  const boss = createBoss(store.execute, embedded, pace)
  const tell = onceAMinute((reason) => log.warn({ reason }, 'the queue of letters has a problem and goes on'))
  boss.on('error', (error) => tell(error.message))

  async function start(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await boss.start()
        await makeQueues(boss, pace)
        for (let count = 0; count < DELIVERY.atOnce; count++) await hire()
        await boss.work<Job['data']>(DEAD, polling(pace), bury)
        return
      } catch (error) {
        tell(error instanceof Error ? error.message : String(error))
        await setTimeout(pace.poll, undefined, { signal: stopping.signal }).catch(() => {})
      }
    }
  }

  /** Whoever had a job looks for the next one at once. */
  async function hire(): Promise<void> {
    const name: { worker?: string } = {}
    const options = { ...polling(pace), perJobResults: true } as const
    name.worker = await boss.work<Job['data']>(LETTERS, options, async (jobs) => {
      const results = await Promise.all(jobs.map(work))
      if (name.worker) boss.notifyWorker(name.worker)
      return results
    })
    workers.push(name.worker)
  }

  async function work({ id, data }: Job) {
    const outcome = await deliver(data.id)
    if (outcome.status === 'done') return { id, status: 'completed' as const }
    const status = outcome.status === 'dead' ? ('deadletter' as const) : ('failed' as const)
    return { id, status, output: { why: outcome.why } }
  }

  /** Those that were not given up by whoever tried: their processes died over them again and again. */
  async function bury(jobs: Job[]): Promise<void> {
    for (const { data } of jobs) await store.giveUp(data.id, 'no try came to an end')
  }

  const enqueue = async (ids: string[], execute: Execute) => {
    const db = { executeSql: execute as (text: string, values?: unknown[]) => Promise<{ rows: never[] }> }
    await boss.insert(
      LETTERS,
      ids.map((id) => ({ data: { id } })),
      { db },
    )
  }

  async function relay(): Promise<void> {
    try {
      for (let queued = RELAYED_AT_ONCE; queued === RELAYED_AT_ONCE && !stopping.signal.aborted; ) {
        queued = await store.queueLetters(RELAYED_AT_ONCE, enqueue)
        for (const worker of workers.slice(0, queued)) boss.notifyWorker(worker)
      }
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error))
    }
  }

  const started = start()
  const look = oneAtATime(() => started.then(relay))
  const timer = setInterval(look, pace.look).unref()
  const unsubscribe = notifications.subscribe(LETTERS_TOPIC, look)
  look()

  return {
    async stop() {
      stopping.abort()
      clearInterval(timer)
      unsubscribe()
      await started
      await look.idle()
      await boss.stop({ graceful: true, timeout: pace.leave })
    },
  }
}

/**
 * On our own pool: its waits have an end, and the embedded database has no second connection to give. Of the queue's own
 * housekeeping only what we use is left on.
 */
function createBoss(execute: Execute, embedded: boolean, pace: Pace): PgBoss {
  const supervise = whole(pace.supervise)
  return new PgBoss({
    db: { executeSql: execute as (text: string, values?: unknown[]) => Promise<{ rows: never[] }> },
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

async function makeQueues(boss: PgBoss, pace: Pace): Promise<void> {
  const kept = { deleteAfterSeconds: whole(DAY), retentionSeconds: whole(30 * DAY) }
  const options = {
    ...kept,
    deadLetter: DEAD,
    // A letter's own age ends its tries; these are for those that end in a crash.
    retryLimit: 1000,
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

const whole = (ms: number) => Math.max(1, Math.round(ms / SECOND))
const polling = (pace: Pace) => ({ pollingIntervalSeconds: pace.poll / SECOND })

/** What is asked for while it works is done afterwards, once. */
function oneAtATime(work: () => Promise<void>): (() => void) & { idle(): Promise<void> } {
  let isAsked = false
  let working: Promise<void> | undefined
  const goOn = async () => {
    while (isAsked) {
      isAsked = false
      await work()
    }
    working = undefined
  }
  const ask = () => {
    isAsked = true
    working ??= goOn()
  }
  return Object.assign(ask, { idle: async () => working })
}

function onceAMinute(tell: (reason: string) => void): (reason: string) => void {
  let last = Number.NEGATIVE_INFINITY
  return (reason) => {
    if (performance.now() - last < MINUTE) return
    last = performance.now()
    tell(reason)
  }
}

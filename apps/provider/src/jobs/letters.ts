// Delivers letters: a relay makes a job of each that waits, pg-boss keeps the jobs, workers do them.
import { setTimeout } from 'node:timers/promises'
import type { Notifications } from '../db/notifications.ts'
import { DAY, MINUTE, SECOND } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { DeliveryStore, Execute } from '../mail/delivery.store.ts'
import type { Deliver } from '../mail/delivery.ts'
import { LETTERS_TOPIC } from '../mail/outbox.store.ts'
import { asBossDatabase, createBoss, DEAD, LETTERS, makeQueues, PACE, type Pace, polling } from './queue.ts'

/** Nobody tells of a letter there. */
const LOOK_EMBEDDED = SECOND / 2

/** How long a letter is tried, in milliseconds, and how many at once: one slow recipient takes one of these places. */
export const DELIVERY = { patience: DAY, atOnce: 5 }

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
    const db = asBossDatabase(execute)
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
      // A database that is gone stops nobody from going.
      await boss.stop({ graceful: true, timeout: pace.leave }).catch((error: Error) => tell(error.message))
    },
  }
}

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

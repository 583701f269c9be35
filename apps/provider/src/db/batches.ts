import { SECOND } from '../lib/clock.ts'

export type BatchOptions<Job, Result> = {
  /** Does all of them with one round trip; one result per job, in their order. */
  send(jobs: Job[]): Promise<Result[]>
  /** How many batches may be under way at once: the fewer, the larger they grow under load. */
  lanes: number
  /** The most jobs of one batch. */
  size: number
  /** Jobs that share one of these never travel together: the later one waits for the next batch. */
  keysOf?(job: Job): Iterable<string>
}

/** Nobody waits longer for a free lane: a database that slow is of no use to them (as `connectionTimeoutMillis`). */
const PATIENCE = 2 * SECOND

type Waiting<Job, Result> = {
  job: Job
  resolve(result: Result): void
  reject(error: unknown): void
  timer?: NodeJS.Timeout
}

/**
 * Gathers what requests ask for in one turn of the event loop, and while the lanes are busy, and sends it together.
 * @returns a function that does one job; it rejects with the error of its batch
 */
export function createBatches<Job, Result>(options: BatchOptions<Job, Result>) {
  const { send, lanes, size, keysOf = () => [] } = options
  let queue: Waiting<Job, Result>[] = []
  let busy = 0
  let scheduled = false

  function schedule() {
    if (scheduled || busy >= lanes || queue.length === 0) return
    scheduled = true
    setImmediate(depart)
  }

  function depart() {
    scheduled = false
    if (queue.length === 0) return
    const batch = board()
    busy++
    send(batch.map(({ job }) => job))
      .then(
        (results) => {
          for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result)
        },
        (error: unknown) => {
          for (const { reject } of batch) reject(error)
        },
      )
      .finally(() => {
        busy--
        schedule()
      })
    schedule()
  }

  /** Takes from the queue, first come first served, all that may travel together. */
  function board(): Waiting<Job, Result>[] {
    const taken = new Set<string>()
    const batch: Waiting<Job, Result>[] = []
    const left: Waiting<Job, Result>[] = []
    for (const waiting of queue) {
      const keys = [...keysOf(waiting.job)]
      const fits = batch.length < size && !keys.some((key) => taken.has(key))
      for (const key of keys) taken.add(key)
      ;(fits ? batch : left).push(waiting)
    }
    for (const { timer } of batch) clearTimeout(timer)
    left.forEach(limit)
    queue = left
    return batch
  }

  function limit(waiting: Waiting<Job, Result>) {
    waiting.timer ??= setTimeout(giveUp, PATIENCE, waiting)
  }

  function giveUp(waiting: Waiting<Job, Result>) {
    queue = queue.filter((other) => other !== waiting)
    waiting.reject(new DatabaseBusy())
  }

  return (job: Job): Promise<Result> =>
    new Promise((resolve, reject) => {
      const waiting: Waiting<Job, Result> = { job, resolve, reject }
      if (busy >= lanes) limit(waiting)
      queue.push(waiting)
      schedule()
    })
}

class DatabaseBusy extends Error {
  readonly code = 'ETIMEDOUT'
  constructor() {
    super(`PostgreSQL was too busy for ${PATIENCE / SECOND} s`)
  }
}

import argon2 from 'argon2'
import { tooBusy } from '../../http/problem.ts'
import { SECOND } from '../../lib/clock.ts'

/** argon2id (RFC 9106) with 46 MiB and one pass: OWASP ASVS 5.0, appendix C. */
const PARAMETERS = { type: argon2.argon2id, memoryCost: 46 * 1024, timeCost: 1, parallelism: 1 } as const

export type Hasher = {
  /**
   * For whoever is going to ask for a hash: waits at the door, before anything was spent on the request. Of a crowd only
   * a few at a time are inside, so that it is no burden to those who came for something else.
   * @throws Problem 503 when the queue is full or the wait too long
   */
  admit<T>(work: () => Promise<T>): Promise<T>
  hash(password: string): Promise<string>
  verify(hash: string, password: string): Promise<boolean>
  /** The hash was made with weaker parameters than today's. */
  isOutdated(hash: string): boolean
}

type Capacity = { slots: number; queue: number; waitMs: number }

/**
 * Hashes run on libuv's threads, so many at once and so many waiting; whoever would wait longer is told to come back.
 * Without that a flood of sign-ins would starve everything else that needs a thread or memory.
 */
export function createHasher(capacity: Capacity): Hasher {
  const inSlot = createSlots(capacity)
  // One more than there are slots: while the others hash, it does what comes before and after.
  const admit = createSlots({ ...capacity, slots: capacity.slots + 1 })
  return {
    admit,
    hash: (password) => inSlot(() => argon2.hash(password, PARAMETERS)),
    verify: (hash, password) => inSlot(() => argon2.verify(hash, password)),
    isOutdated: (hash) => argon2.needsRehash(hash, PARAMETERS),
  }
}

/** Runs at most `slots` works at once, the others in turn. @throws Problem 503 when the queue is full or the wait too long */
export function createSlots({ slots, queue, waitMs }: Capacity) {
  const waiting: (() => void)[] = []
  let busy = 0

  const enter = () =>
    new Promise<void>((resolve, reject) => {
      const admit = () => {
        clearTimeout(timer)
        busy++
        resolve()
      }
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(admit), 1)
        reject(full())
      }, waitMs)
      waiting.push(admit)
    })

  const full = () => tooBusy(Math.max(1, Math.ceil(waitMs / SECOND)))

  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (busy < slots) busy++
    else if (waiting.length >= queue) throw full()
    else await enter()
    try {
      return await work()
    } finally {
      busy--
      waiting.shift()?.()
    }
  }
}

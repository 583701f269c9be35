import type { Pool } from 'pg'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { LimitWindow, PaceConfig } from '../config/parts.ts'
import type { LimitName, LimitsConfig, PaceName } from '../config.ts'
import { HOUR, SECOND } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { createCounters } from './counters.store.ts'
import { Limiter } from './limiter.store.ts'

/** What one window said: how many have been taken under the key, or in how many seconds to come again. */
export type Answer<L = Limiter> = { limiter: L; points: number; wait: number | null }

export type Pace = {
  /** Lets one try pass; seconds to wait until the next may. */
  take(key: string, failures: number): Promise<number | null>
  clear(key: string): Promise<unknown>
}

/** A limiter for every window of the configuration. */
export function createLimiters(pool: Pool, config: LimitsConfig, log: Log) {
  const counters = createCounters(pool, log)
  const windows = new Map<LimitName, Limiter[]>()
  const local = new Map<LimitName, RateLimiterMemory[]>()
  const paces = new Map<PaceName, Pace>()
  const create = (name: string, window: LimitWindow) =>
    new Limiter(pool, counters, { name, window, isKeptInMemory: mayBeKept(name, window) })

  for (const [name, said] of Object.entries(config)) {
    if (!Array.isArray(said)) {
      const window = { points: 1, per: said.most || SECOND, block: 0 }
      paces.set(name as PaceName, createPace(create(name, window), said))
      continue
    }
    // A key for each window: the first one's is the name, as it was when there was no second.
    const limiters = said.map((window, index) => create(index ? `${name}.${index + 1}` : name, window))
    windows.set(name as LimitName, limiters)
    local.set(name as LimitName, said.map(createLocal))
  }
  return {
    windowsOf: (name: LimitName) => windows.get(name)!,
    paceOf: (name: PaceName) => paces.get(name)!,
    localOf: (name: LimitName) => local.get(name)!,
  }
}

/**
 * A process may remember that nothing is left, which spares the database, where nobody can be forgiven meanwhile by
 * another one (accounts can, after a success or a reset) and where being too strict is over soon.
 */
const mayBeKept = (name: string, { per, block }: LimitWindow) =>
  /_per_ip(\.\d)?$|^client_failures/.test(name) && per <= HOUR && block === 0

const createLocal = ({ points, per }: LimitWindow) =>
  new RateLimiterMemory({ points, duration: per / SECOND })

/** Longer than a wait can grow in any case. */
const DOUBLINGS_MAX = 40

/** One try at a time: the one that may begin says for how long none may follow. */
function createPace(limiter: Limiter, { from, first, most }: PaceConfig): Pace {
  return {
    async take(key, failures) {
      if (failures < from || first === 0) return null
      const ms = Math.min(first * 2 ** Math.min(failures - from, DOUBLINGS_MAX), most)
      return (await consume(limiter, key, ms)).wait
    },
    clear: (key) => limiter.delete(key),
  }
}

/** Takes one try of a window; `ms` is how long it lasts where that is not the window's own time. */
export async function consume<L extends Limiter | RateLimiterMemory>(
  limiter: L,
  key: string,
  ms?: number,
): Promise<Answer<L>> {
  const options = ms === undefined ? {} : { customDuration: ms / SECOND }
  try {
    const { consumedPoints } = await limiter.consume(key, 1, options)
    return { limiter, points: consumedPoints, wait: null }
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal
    return { limiter, points: refusal.consumedPoints, wait: toSeconds(refusal.msBeforeNext) }
  }
}

/** Whole seconds for Retry-After (RFC 9110, section 10.2.3): never too few. */
export const toSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / SECOND))

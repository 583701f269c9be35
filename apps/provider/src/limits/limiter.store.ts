import type { Pool } from 'pg'
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'
import type { LimitWindow } from '../config/parts.ts'
import { DAY, SECOND } from '../lib/clock.ts'
import type { Count, Counters } from './counters.store.ts'

export type LimiterOptions = { name: string; window: LimitWindow; isKeptInMemory: boolean }

/** While the database is away each process counts by itself, a quarter of the tries: there may be several of them. */
const INSURED_PART = 4
/** Its counters end by timers, which hold 24 days at most. */
const INSURED_MAX = 20 * DAY

/**
 * One window of one limit: rate-limiter-flexible on PostgreSQL, its statements replaced by ours, which travel together,
 * go by the database's clock and never leave a counter below zero.
 */
export class Limiter extends RateLimiterPostgres {
  readonly window: LimitWindow
  readonly #counters: Counters
  readonly #isKeptInMemory: boolean

  constructor(pool: Pool, counters: Counters, { name, window, isKeptInMemory }: LimiterOptions) {
    const { points, per, block } = window
    super({
      storeClient: pool,
      tableName: 'rate_limits',
      tableCreated: true,
      // The retention job does it in small steps; the library's one statement for all grows with every key someone tries.
      clearExpiredByTimeout: false,
      keyPrefix: name,
      points,
      duration: per / SECOND,
      blockDuration: block / SECOND,
      inMemoryBlockOnConsumed: isKeptInMemory ? points + 1 : 0,
      insuranceLimiter: createInsurance(name, window),
    })
    this.window = window
    this.#counters = counters
    this.#isKeptInMemory = isKeptInMemory
  }

  /** Milliseconds for which this process knows, without asking anybody, that nothing is left under the key. */
  blockedFor(key: string): number {
    const { getInMemoryBlockMsBeforeExpire } = this as unknown as InMemory
    return this.#isKeptInMemory ? getInMemoryBlockMsBeforeExpire.call(this, this.getKey(key)) : 0
  }

  _upsert(key: string, points: number, ms: number, isForced = false): Promise<Count> {
    if (isForced) return this.#counters.set(key, points, ms)
    if (points >= 0) return this.#counters.add(key, points, ms)
    return this.#counters.giveBack(key, -points).then(() => ({ points: 0, left: 0 }))
  }

  _delete(key: string): Promise<boolean> {
    return this.#counters.remove(key)
  }

  _getRateLimiterRes(_key: string, changed: number, { points, left }: Count): RateLimiterRes {
    return new RateLimiterRes(
      Math.max(this.points - points, 0),
      Math.max(left, 0),
      points,
      points === changed,
    )
  }
}

/** What the library's types leave out. */
type InMemory = { getInMemoryBlockMsBeforeExpire(key: string): number }

function createInsurance(name: string, { points, per, block }: LimitWindow): RateLimiterMemory {
  return new RateLimiterMemory({
    keyPrefix: name,
    points: Math.max(1, Math.floor(points / INSURED_PART)),
    duration: Math.min(per, INSURED_MAX) / SECOND,
    blockDuration: block / SECOND,
  })
}

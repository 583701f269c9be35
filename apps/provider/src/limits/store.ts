// How often anyone may try anything, by name.
import type { Pool } from 'pg'
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'
import type { LimitConfig, Policy } from '../config.ts'
import { SECOND } from '../lib/clock.ts'
import { digest } from '../lib/digest.ts'

export type LimitName = keyof Policy['limits']

/** What is counted: whose tries (an account's canonical address, a network) under which limit. */
export type Allowance = {
  limit: LimitName
  key: string
  /** The count begins anew once the right person came through: it was about this account alone. */
  endsWithSuccess?: boolean
}

export type Limits = {
  /** Takes one try, atomically across all instances. Seconds to wait when none was left, else null. */
  take(allowance: Allowance): Promise<number | null>
  /** Gives one try back: it was none. */
  giveBack(allowance: Allowance): Promise<void>
  /** The try was right: gives it back, and forgets the ones before where they concerned this account alone. */
  succeed(allowance: Allowance): Promise<void>
}

/** Keys are digested: the table tells neither addresses nor networks. */
export function createLimits(pool: Pool, limits: Policy['limits']): Limits {
  const limiters = new Map(
    Object.entries(limits).map(([name, config]) => [name, createLimiter(pool, name, config)]),
  )
  return {
    async take({ limit, key }) {
      try {
        await limiters.get(limit)!.consume(digest(key))
        return null
      } catch (refusal) {
        if (refusal instanceof RateLimiterRes) return Math.max(1, Math.ceil(refusal.msBeforeNext / SECOND))
        throw refusal
      }
    },
    async giveBack({ limit, key }) {
      await limiters.get(limit)!.reward(digest(key))
    },
    async succeed({ limit, key, endsWithSuccess }) {
      const limiter = limiters.get(limit)!
      await (endsWithSuccess ? limiter.delete(digest(key)) : limiter.reward(digest(key)))
    },
  }
}

function createLimiter(pool: Pool, name: string, { points, per, block }: LimitConfig): RateLimiterPostgres {
  return new RateLimiterPostgres({
    storeClient: pool,
    tableName: 'rate_limits',
    tableCreated: true,
    keyPrefix: name,
    points,
    duration: per / SECOND,
    blockDuration: block / SECOND,
    // The retention job does it in small steps; the library's one statement for all grows with every key someone tries.
    clearExpiredByTimeout: false,
  })
}

// How often anyone may try anything, by name.
import type { Pool } from 'pg'
import type { LimitWindow } from '../config/parts.ts'
import type { LimitName, LimitsConfig, PaceName } from '../config.ts'
import { SECOND } from '../lib/clock.ts'
import { digest } from '../lib/digest.ts'
import type { Log } from '../lib/log.ts'
import type { Limiter } from './limiter.store.ts'
import { type Answer, consume, createLimiters, toSeconds } from './limiters.store.ts'

/** What is counted: whose tries (an account's canonical address, a network) under which limit. */
export type Allowance = {
  limit: LimitName
  key: string
  /** The count begins anew once the right person came through: it was about this account alone. */
  endsWithSuccess?: boolean
  /** Of failures in a row (`_in_a_row`, which nothing but `forget` opens again): each one costs a longer wait. */
  pace?: PaceName
}

export type Taken =
  /** `last`: of these accounts nothing is left should the try be wrong; `fail` wants to hear of it. */
  | { ok: true; last: Allowance[] }
  /** Seconds to wait; `untilReset` when waiting does not help within reason. */
  | { ok: false; wait: number; untilReset: boolean }

/** Closed for a while, or until the credential is replaced. */
export type Lock = 'soft' | 'disabled'

export type Limits = {
  /** Takes one try, atomically across all instances. Seconds to wait when none was left, else null. */
  take(allowance: Allowance): Promise<number | null>
  /** Takes one try of each, or of none. */
  takeAll(allowances: Allowance[]): Promise<Taken>
  /** Gives one try back: it was none. */
  giveBack(allowance: Allowance): Promise<void>
  /** The try was right: gives it back, and forgets the ones before where they concerned this account alone. */
  succeed(allowance: Allowance): Promise<void>
  /** The try was wrong. What it was the last of is closed; of all tries that come together one hears of it. */
  fail(taken: Taken): Promise<Lock | null>
  /** All is as if nobody had ever tried. */
  forget(allowance: Allowance): Promise<void>
  /** Seconds to wait as far as this process knows without asking; what it says is true, its silence says nothing. */
  waitKnownHere(allowance: Allowance): number | null
  /** Counts what has happened already; true for the one that went beyond the limit, once a window. */
  count(allowance: Allowance, times: number): Promise<boolean>
  /** As `take`, counted in this process alone and lost with it. */
  takeHere(allowance: Allowance): Promise<number | null>
}

/** Ten times what a limit may have, and 200 times less than the column holds. */
const CLOSED = 10_000_000

/** Keys are digested: the table tells neither addresses nor networks. */
export function createLimits(pool: Pool, config: LimitsConfig, log: Log): Limits {
  const { windowsOf, paceOf, localOf } = createLimiters(pool, config, log)

  /**
   * What has a pace goes first: whom it turns away has taken nothing from what locks. Those in a row without one go last:
   * only what is looked at may count towards closing for good.
   */
  async function takeAll(allowances: Allowance[]): Promise<Taken> {
    const known = longest(allowances.map(waitKnownHere))
    if (known !== null) return { ok: false, wait: known, untilReset: false }
    const taken: Allowance[] = []
    const last: Allowance[] = []
    for (const isTurn of [isPaced, isPlain, isLongTerm]) {
      const turn = allowances.filter(isTurn)
      const answer = await takeEach(turn)
      if (!answer.ok) {
        await Promise.all(taken.map(giveBack))
        return answer
      }
      taken.push(...turn)
      last.push(...answer.last)
    }
    return { ok: true, last }
  }

  async function takeEach(allowances: Allowance[]): Promise<Taken> {
    const answers = await Promise.all(allowances.map(takeOne))
    const refused = answers.filter((answer) => !answer.ok)
    if (refused.length === 0) return { ok: true, last: answers.flatMap((each) => (each.ok ? each.last : [])) }
    await Promise.all(allowances.filter((_, index) => answers[index]?.ok).map(giveBack))
    return refused.reduce((one, other) => (other.wait > one.wait ? other : one))
  }

  async function takeOne(allowance: Allowance): Promise<Taken> {
    const key = digest(allowance.key)
    const answers = await Promise.all(windowsOf(allowance.limit).map((limiter) => consume(limiter, key)))
    const wait = longest(answers.map((answer) => answer.wait))
    const pace = wait === null && allowance.pace ? paceOf(allowance.pace) : null
    const pause = (await pace?.take(key, mostOf(answers))) ?? null
    if (wait === null && pause === null) {
      const isLast = closing(answers).some(({ limiter, points }) => points === limiter.window.points)
      return { ok: true, last: isLast && allowance.endsWithSuccess ? [allowance] : [] }
    }
    await Promise.all(answers.filter(isToReturn(allowance)).map(({ limiter }) => limiter.reward(key)))
    return { ok: false, wait: wait ?? pause!, untilReset: wait !== null && inARow(allowance) }
  }

  async function giveBack({ limit, key, pace }: Allowance): Promise<void> {
    const rewards = windowsOf(limit).map((limiter) => limiter.reward(digest(key)))
    await Promise.all([...rewards, pace && paceOf(pace).clear(digest(key))])
  }

  async function forget({ limit, key, pace }: Allowance): Promise<void> {
    const removals = windowsOf(limit).map((limiter) => limiter.delete(digest(key)))
    await Promise.all([...removals, pace && paceOf(pace).clear(digest(key))])
  }

  function waitKnownHere({ limit, key }: Allowance): number | null {
    const blocked = windowsOf(limit).map((limiter) => limiter.blockedFor(digest(key)))
    return longest(blocked.map((ms) => (ms > 0 ? toSeconds(ms) : null)))
  }

  /** From now on, for as long as its windows say. True for the one that closed it. */
  async function close({ limit, key }: Allowance): Promise<boolean> {
    const closings = closing(windowsOf(limit).map((limiter) => ({ limiter }))).map(async ({ limiter }) => {
      const { consumedPoints } = await limiter.penalty(digest(key), CLOSED)
      if (consumedPoints >= 2 * CLOSED) return false
      await limiter.set(digest(key), CLOSED, closedFor(limiter.window) / SECOND)
      return true
    })
    return (await Promise.all(closings)).some(Boolean)
  }

  return {
    takeAll,
    giveBack,
    forget,
    waitKnownHere,
    async take(allowance) {
      const taken = await takeAll([allowance])
      return taken.ok ? null : taken.wait
    },
    succeed: (allowance) => (allowance.endsWithSuccess ? forget(allowance) : giveBack(allowance)),
    async fail(taken) {
      const last = taken.ok ? taken.last : []
      const closed = await Promise.all(last.map(close))
      if (!closed.includes(true)) return null
      return last.some((allowance, index) => closed[index] && inARow(allowance)) ? 'disabled' : 'soft'
    },
    async count({ limit, key }, times) {
      const crossings = windowsOf(limit).map(async (limiter) => {
        const { consumedPoints: now } = await limiter.penalty(digest(key), times)
        return now > limiter.window.points && now - times <= limiter.window.points
      })
      return (await Promise.all(crossings)).some(Boolean)
    },
    async takeHere({ limit, key }) {
      const answers = await Promise.all(localOf(limit).map((limiter) => consume(limiter, key)))
      return longest(answers.map(({ wait }) => wait))
    },
  }
}

/**
 * What a try that was refused has taken none the less. A window that refuses keeps it where that changes nothing: not
 * where other windows, or failures in a row, would be used up by tries that never were. A block keeps its count.
 */
const isToReturn = (allowance: Allowance) => (answer: Answer, _: number, all: Answer[]) =>
  answer.wait === null || (answer.limiter.window.block === 0 && (all.length > 1 || inARow(allowance)))

/** Those that close with the last wrong try. Of several windows without a block each ends by itself, the shortest first. */
const closing = <Of extends { limiter: Pick<Limiter, 'window'> }>(windows: Of[]): Of[] =>
  windows.length === 1 ? windows : windows.filter(({ limiter }) => limiter.window.block > 0)

/** Milliseconds that a window which closes stays so. */
const closedFor = ({ block, per }: LimitWindow): number => block || per

/** Milliseconds that the last wrong try closes a limit of these windows for, at most; 0 where none of them closes. */
export const longestClosure = (windows: LimitWindow[]): number =>
  Math.max(
    0,
    ...closing(windows.map((window) => ({ limiter: { window } }))).map(({ limiter }) =>
      closedFor(limiter.window),
    ),
  )

const mostOf = (answers: Answer[]) => Math.max(...answers.map(({ points }) => points))

const inARow = ({ limit }: Allowance) => limit.endsWith('_in_a_row')
const isPaced = ({ pace }: Allowance) => pace !== undefined
const isPlain = (allowance: Allowance) => !isPaced(allowance) && !inARow(allowance)
const isLongTerm = (allowance: Allowance) => !isPaced(allowance) && inARow(allowance)

function longest(waits: (number | null)[]): number | null {
  const known = waits.filter((wait) => wait !== null)
  return known.length === 0 ? null : Math.max(...known)
}

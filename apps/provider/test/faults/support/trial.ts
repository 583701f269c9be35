// One fault under load, from quiet to quiet: what everybody was answered, and how the server came through.
import { setTimeout as pause } from 'node:timers/promises'
import { expect, vi } from 'vitest'
import { type Crowd, gather, type Servers } from './crowd.ts'
import { extent } from './extent.ts'
import { type Attempt, describeVerdict, judge, quantile, type Use, type Verdict } from './ledger.ts'
import { watch } from './prober.ts'
import { findHalfDone } from './rows.ts'
import { countConnections, vitalsOf } from './vitals.ts'

export type Fault = {
  name: string
  strike(): Promise<unknown>
  /** Milliseconds from the end of `strike` to the beginning of `heal`. */
  lasts: number
  heal(): Promise<unknown>
}

export type Outcome = {
  uses: Use[]
  verdict: Verdict
  attempts: Attempt[]
  /** The longest anybody waited for an answer, in milliseconds. */
  slowest: number
}

const PARTIES = extent(8, 30)
/** Of them those who spend nothing while they can ask. */
const ONLOOKERS = 2
/** Milliseconds of work before and after each fault. */
const CALM = extent(1000, 3000)
const HEALED_WITHIN = 10_000
/** A free lane, a connection, and an answer: nobody waits longer for each (db/batches.ts, db/pool.ts); and a second. */
export const LONGEST = 2000 + 2000 + 12_000 + 1000
/** The pool's ten, and the one that listens. */
const CONNECTIONS = 11

/** Lets the fault strike the one server's database, and expects of it what every fault has to leave whole. */
export async function endure(servers: Servers, databaseUrl: string, fault: Fault): Promise<Outcome> {
  const { child } = servers.runs[0]!
  const crowd = await gather(servers, PARTIES, (index) => ({ curious: index < ONLOOKERS ? 1 : 0.4 }))
  const prober = watch(servers.ports[0]!, '/livez')
  const before = vitalsOf(child.pid!)
  crowd.begin()
  await pause(CALM)
  const struck = Date.now()
  await fault.strike()
  await pause(fault.lasts)
  await fault.heal()
  const healed = Date.now()
  const recovered = await recovery(crowd, healed)
  await pause(CALM)
  await crowd.end()
  crowd.leave()
  const alive = await prober.stop()
  const after = vitalsOf(child.pid!)

  const { uses } = crowd.ledger
  const attempts = uses.flatMap((use) => use.attempts)
  const outcome = { uses, attempts, verdict: judge(uses), slowest: quantile(attempts, 1) }
  process.stdout.write(
    `${fault.name}: ${describeVerdict(uses)}; recovered after ${recovered} ms; slowest /livez ${alive.slowest} ms` +
      `; ${before?.residentMegabytes} MB before, ${after?.residentMegabytes} MB afterwards\n`,
  )
  expectHonesty(outcome, { struck, healed: healed + recovered })
  expect([...alive.statuses]).toEqual([200])
  await expectHealth(servers, databaseUrl)
  if (before && after) expect(after.openFiles - before.openFiles).toBeLessThan(CONNECTIONS)
  return outcome
}

/** Milliseconds until everybody had an answer again to what they asked after the fault was over. */
async function recovery({ parties }: Crowd, healed: number): Promise<number> {
  await vi.waitUntil(() => parties.every(({ lastSuccess }) => lastSuccess > healed), {
    timeout: HEALED_WITHIN,
    interval: 20,
  })
  return Math.max(...parties.map(({ lastSuccess }) => lastSuccess)) - healed
}

/** Right answers and failures that say when to come back, the latter only as long as the fault; each in bounded time. */
function expectHonesty({ verdict, slowest }: Outcome, fault: { struck: number; healed: number }): void {
  expect(verdict.doubleSpends).toEqual([])
  expect(verdict.lostFamilies).toEqual([])
  expect(verdict.undeserved).toEqual([])
  expect(verdict.curt).toEqual([])
  expect(verdict.unanswered).toEqual([])
  expect(verdict.lostAnswers).toEqual({ code: 0, refresh: 0, question: 0 })
  const untimely = verdict.failures.filter(({ began, ended }) => ended < fault.struck || began > fault.healed)
  expect(untimely).toEqual([])
  expect(slowest).toBeLessThan(LONGEST)
}

/** The process is the same, nothing has escaped it, it holds no more than it should, and the rows are whole. */
async function expectHealth({ runs }: Servers, databaseUrl: string): Promise<void> {
  const { child, output } = runs[0]!
  expect(child.exitCode).toBeNull()
  expect(output()).not.toMatch(/unhandled|uncaught/i)
  expect(await countConnections(databaseUrl)).toBeLessThanOrEqual(CONNECTIONS)
  expect(await findHalfDone(databaseUrl)).toEqual({})
}

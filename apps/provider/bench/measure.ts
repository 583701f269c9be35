// One round: so many ask at once for so long, every answer checked, and what it cost all who took part.
import type { Contender } from './contenders.ts'
import { cpuMs, isPostgres } from './cpu.ts'
import type { Operation, Worker } from './operations.ts'
import { Refused } from './people.ts'
import type { PostgresProcess, Told } from './questions.ts'
import { openWire } from './wire.ts'

/** Times in milliseconds; what is `null` could not be measured. Costs are per operation. */
export type Round = {
  perSecond: number
  p50: number
  p99: number
  errors: number
  refused: number
  serverMs: number | null
  /** Of the processes that work for this database alone. */
  postgresMs: number | null
  /** Of those that write for all databases; null while others use the server too. */
  postgresSharedMs: number | null
  statements: number
  rowsWritten: number
  rssBytes: number
  heapBytes: number
  /** Of the load's own core. Near 1 it is the load that is measured, and ratios shrink towards 1. */
  loadShare: number
}

export type Load = { operation: Operation; concurrency: number } & ({ ms: number } | { times: number })

export async function runRound(contender: Contender, load: Load): Promise<Round> {
  await contender.ask('rest')
  const workers = openWorkers(contender, load.concurrency)
  try {
    await Promise.all(workers.map((worker) => load.operation.prepare?.(worker)))
    const before = await look(contender)
    const work = await drive(workers, load)
    const server = cpuMs(contender.pid)
    const after = await look(contender)
    return sumUp(work, before, { ...after, server })
  } finally {
    for (const { wire } of workers) wire.close()
  }
}

export function openWorkers({ issuer, port, people }: Contender, count: number): Worker[] {
  return people.slice(0, count).map((person) => ({ issuer, person, wire: openWire(port), kept: {} }))
}

type Work = { seconds: number; latencies: Float64Array; errors: number; refused: number; loadShare: number }

/** An error costs a round nothing but its place in the report, where the first of each kind is told. */
async function drive(workers: Worker[], { operation, ...load }: Load): Promise<Work> {
  const latencies: number[] = []
  let errors = 0
  let refused = 0
  let left = 'times' in load ? load.times : Number.POSITIVE_INFINITY
  const cpu = process.cpuUsage()
  const started = performance.now()
  const end = 'ms' in load ? started + load.ms : Number.POSITIVE_INFINITY

  async function work(worker: Worker): Promise<void> {
    for (let began = started; began < end && left-- > 0; began = performance.now()) {
      try {
        await operation.run(worker)
        latencies.push(performance.now() - began)
      } catch (error) {
        if (error instanceof Refused) refused++
        else if (errors++ === 0) process.stderr.write(`${operation.name}: ${String(error)}\n`)
      }
    }
  }
  await Promise.all(workers.map(work))
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const sorted = Float64Array.from(latencies).sort()
  return { seconds, latencies: sorted, errors, refused, loadShare: (user + system) / 1e6 / seconds }
}

type Look = { told: Told; server: number | null; postgres: Map<number, number> }

async function look({ ask, pid }: Contender): Promise<Look> {
  const told = await ask('tell')
  const known = told.processes.flatMap(({ pid }) => {
    const ms = isPostgres(pid) ? cpuMs(pid) : null
    return ms === null ? [] : [[pid, ms] as const]
  })
  return { told, server: cpuMs(pid), postgres: new Map(known) }
}

function sumUp(work: Work, before: Look, after: Look): Round {
  const { latencies, seconds, errors, refused, loadShare } = work
  const per = (total: number | null) => (total === null ? null : total / latencies.length)
  const spent = (whose: PostgresProcess['for']) => postgresSpent(before, after, whose)
  const { told } = after
  return {
    perSecond: latencies.length / seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    errors,
    refused,
    serverMs: before.server === null || after.server === null ? null : per(after.server - before.server),
    postgresMs: per(spent('us')),
    postgresSharedMs: spent('others') ? null : per(spent('everyone')),
    statements: (told.statements - before.told.statements) / latencies.length,
    rowsWritten: (told.rowsWritten - before.told.rowsWritten) / latencies.length,
    rssBytes: told.rssBytes,
    heapBytes: told.heapBytes,
    loadShare,
  }
}

/** Null where PostgreSQL does not run on this machine. A process that began meanwhile counts from its start. */
function postgresSpent(before: Look, after: Look, whose: PostgresProcess['for']): number | null {
  if (after.postgres.size === 0) return null
  return after.told.processes
    .filter((process) => process.for === whose)
    .reduce((sum, { pid }) => sum + (after.postgres.get(pid) ?? 0) - (before.postgres.get(pid) ?? 0), 0)
}

/** Of sorted values; NaN of none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

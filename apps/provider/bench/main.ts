// `npm run bench`: Anteroom on PostgreSQL beside bare oidc-provider in memory, pinned and alternating in one run.
// Absolute numbers drift with the machine; the ratios are what counts.
import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { createTestDatabase } from '../test/support/database.ts'
import { createPerson, OPERATIONS, type Person, type Round, runRound, type Target, target } from './load.ts'

type Contender = { name: string; child: ChildProcess; to: Target; people: Person[] }
type Row = {
  operation: string
  concurrency: number
  bare: number
  anteroom: number
  ratio: number
  p50: number
  p99: number
  cpu: number
}

const short = process.argv.includes('--short')
const CONCURRENCY = short ? [8] : [1, 8, 64]
const ROUNDS = short ? 1 : 5
const ROUND_MS = short ? 500 : 3000
const WARM_UP_MS = short ? 500 : 6000
const TICKS_PER_SECOND = 100

const database = await createTestDatabase()
const contenders = [await start('bare', 4701), await start('anteroom', 4702)] as [Contender, Contender]
try {
  for (const { to, people } of contenders) {
    for (const operation of Object.values(OPERATIONS))
      await runRound(to, people, { operation, ms: WARM_UP_MS })
  }
  const rows: Row[] = []
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    for (const concurrency of CONCURRENCY) rows.push(await compare(name, { operation, concurrency }))
  }
  report(rows)
} finally {
  for (const { child } of contenders) child.kill()
  await database.drop()
}

async function compare(
  name: string,
  { operation, concurrency }: { operation: (typeof OPERATIONS)[string]; concurrency: number },
): Promise<Row> {
  const rounds: { bare: Round; anteroom: Round; cpu: number }[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const [bare, anteroom] = contenders.map(
      (contender) => () => measure(contender, { operation, concurrency }),
    )
    const b = await bare!()
    const a = await anteroom!()
    rounds.push({ bare: b.round, anteroom: a.round, cpu: a.cpu })
  }
  return {
    operation: name,
    concurrency,
    bare: median(rounds.map((r) => r.bare.perSecond)),
    anteroom: median(rounds.map((r) => r.anteroom.perSecond)),
    ratio: median(rounds.map((r) => r.anteroom.perSecond / r.bare.perSecond)),
    p50: median(rounds.map((r) => r.anteroom.p50)),
    p99: median(rounds.map((r) => r.anteroom.p99)),
    cpu: median(rounds.map((r) => r.cpu)),
  }
}

/** One round, and the server's CPU milliseconds per operation. */
async function measure(
  { child, to, people }: Contender,
  { operation, concurrency }: { operation: (typeof OPERATIONS)[string]; concurrency: number },
) {
  const before = cpuMs(child)
  const round = await runRound(to, people.slice(0, concurrency), { operation, ms: ROUND_MS })
  return { round, cpu: (cpuMs(child) - before) / round.done }
}

async function start(name: string, port: number): Promise<Contender> {
  const env = {
    ...process.env,
    PORT: String(port),
    DATA_DIR: database.dataDir,
    ...(database.url && { DATABASE_URL: database.url }),
  }
  const child = fork(path.join(import.meta.dirname, `${name}.ts`), {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)))
  })
  pin(child.pid!, 0)
  pin(process.pid, 1)
  const to = target(port, Math.max(...CONCURRENCY))
  const people: Person[] = []
  for (let i = 0; i < Math.max(...CONCURRENCY); i++) people.push(await createPerson(to))
  return { name, child, to, people }
}

/** Server on one core, load on another, where there are two. */
function pin(pid: number, core: number): void {
  if (availableParallelism() > 1)
    spawnSync('taskset', ['-acp', String(core), String(pid)], { stdio: 'ignore' })
}

function cpuMs({ pid }: ChildProcess): number {
  try {
    const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .split(') ')[1]!
      .split(' ')
      .slice(11, 13)
      .map(Number)
    return ((user + system) * 1000) / TICKS_PER_SECOND
  } catch {
    return Number.NaN
  }
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function report(rows: Row[]): void {
  const where = database.url ? 'PostgreSQL' : 'embedded PostgreSQL'
  process.stdout.write(
    `\nAnteroom on ${where} beside bare oidc-provider in memory; medians of ${ROUNDS} alternating rounds\n\n`,
  )
  console.table(
    rows.map(({ operation, concurrency, bare, anteroom, ratio, p50, p99, cpu }) => ({
      operation,
      'at once': concurrency,
      'bare /s': Math.round(bare),
      'Anteroom /s': Math.round(anteroom),
      ratio: ratio.toFixed(2),
      'p50 ms': p50.toFixed(1),
      'p99 ms': p99.toFixed(1),
      'CPU ms': cpu.toFixed(2),
    })),
  )
  writeFileSync(
    'bench-results.json',
    `${JSON.stringify({ database: where, rounds: ROUNDS, rows }, null, 2)}\n`,
  )
}

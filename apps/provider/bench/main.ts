// `npm run bench`: Anteroom on PostgreSQL beside bare oidc-provider in memory, pinned and alternating in one run.
// Absolute figures drift with the machine and the hour; the ratios are what counts.
import { mkdirSync, openSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createTestDatabase } from '../test/support/database.ts'
import { countTrips } from './budgets.ts'
import { compareAll, type Pair, warmUp } from './compare.ts'
import { startContender } from './contenders.ts'
import { LOAD_CORE, pinMyself } from './cpu.ts'
import { watchMemory } from './memory.ts'
import { OPERATIONS } from './operations.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { asJson, countErrors } from './report.ts'
import { runStorms } from './storm.ts'
import { describeRun, type Results, summarize } from './summary.ts'

const ROOT = path.resolve(import.meta.dirname, '../../..')
const RESULTS = path.join(ROOT, 'bench-results.json')
const LOG = path.join(ROOT, 'bench.log')

const say = (text: string) => process.stdout.write(`${text}\n`)

const options = understand(process.argv.slice(2))
const pinned = pinMyself(LOAD_CORE)
const database = await createTestDatabase()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void database.drop().finally(() => process.exit(130)))
try {
  process.exitCode = await run()
} finally {
  await database.drop()
}

function understand(args: string[]): Options {
  try {
    return readOptions(args)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`)
    process.exit(2)
  }
}

async function run(): Promise<number> {
  if (options.profileDir) mkdirSync(options.profileDir, { recursive: true })
  const people = options.parts.storm || options.parts.memory ? 64 : Math.max(8, ...options.concurrency)
  const start = { database, people, profileDir: options.profileDir, log: openSync(LOG, 'w') }
  const bare = await startContender('bare', start)
  try {
    const anteroom = await startContender('anteroom', start)
    try {
      return await runAll({ bare, anteroom })
    } finally {
      await anteroom.stop()
    }
  } finally {
    await bare.stop()
  }
}

/** The exit code: 1 for a wrong answer anywhere, and in the short form for a budget that was not kept. */
async function runAll(pair: Pair): Promise<number> {
  const heading = describeRun(await pair.anteroom.ask('database'), {
    pinned,
    embedded: !database.url,
    short: options.short,
  })
  say(heading.join('\n'))
  const results = await measureAll(pair)
  writeFileSync(RESULTS, `${JSON.stringify(asFile(heading, results), null, 2)}\n`)
  const wrong = results.series.reduce(
    (sum, { bare, anteroom }) => sum + countErrors([...bare, ...anteroom]),
    0,
  )
  const { lines, budgetsBroken } = summarize(results, options.rounds)
  say(lines.join('\n'))
  return wrong > 0 || (options.short && budgetsBroken > 0) ? 1 : 0
}

async function measureAll(pair: Pair): Promise<Results> {
  const { parts, flows, rounds } = options
  const results: Results = { series: [], budgets: [], storms: [], memory: [] }
  if (parts.ratios) {
    say('\nWarming up …')
    await warmUp(pair, options)
    say(`Measuring, ${rounds} rounds of ${options.roundMs / 1000} s each …`)
    results.series = await compareAll(pair, options)
  }
  if (parts.budgets) results.budgets = await countTrips(pair.anteroom)
  if (parts.storm) {
    say('\nA storm of sign-ins …')
    results.storms = await runStorms(pair.anteroom, rounds)
  }
  if (parts.memory) {
    say('\nMemory …')
    const operation = OPERATIONS.find(({ name }) => name === 'code flow')!
    results.memory = await watchMemory(pair.anteroom, { operation, flows })
  }
  return results
}

function asFile(heading: string[], { series, budgets, storms, memory }: Results) {
  const { rounds, roundMs, short } = options
  return { heading, short, rounds, roundMs, operations: series.map(asJson), budgets, storms, memory }
}

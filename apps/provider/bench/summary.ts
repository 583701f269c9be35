// The first lines of a run and the last: under which conditions it was measured, and what came out.
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import type { Spent } from './budgets.ts'
import type { Series } from './compare.ts'
import { LOAD_CORE, SERVER_CORE } from './cpu.ts'
import { judgeMemory, type Sample } from './memory.ts'
import type { DatabaseFacts } from './questions.ts'
import { drawBudgets, drawTable, JUDGED_FROM, judge, listCaveats } from './report.ts'
import { judgeStorms, type Storm } from './storm.ts'

/** What a part that did not run has measured is empty. */
export type Results = { series: Series[]; budgets: Spent[]; storms: Storm[]; memory: Sample[] }

type Conditions = { pinned: boolean; embedded: boolean; short: boolean }

/**
 * @throws unless a commit means that the disk has it: fast and forgetful is another contest. The short form judges no
 * times and does with a database that forgets.
 */
export function describeRun(facts: DatabaseFacts | null, { pinned, embedded, short }: Conditions): string[] {
  const { version, synchronousCommit, fsync } = facts!
  const durable = synchronousCommit === 'on' && fsync === 'on'
  const settings = `synchronous_commit = ${synchronousCommit}, fsync = ${fsync}`
  if (!durable && !short) throw new Error(`${settings}: figures without durability are worth nothing`)
  const require = createRequire(import.meta.url)
  const engine = require('oidc-provider/package.json') as { version: string }
  const cores = cpus()
  const where = pinned ? `server on core ${SERVER_CORE}, load on core ${LOAD_CORE}` : 'nobody pinned'
  return [
    'Anteroom on PostgreSQL beside bare oidc-provider on a Map',
    `  Node.js ${process.versions.node}, oidc-provider ${engine.version}, ${embedded ? 'embedded ' : ''}PostgreSQL ${version}`,
    `  ${settings}`,
    `  ${cores.length} × ${cores[0]?.model ?? 'unknown'}, ${where}`,
  ]
}

export function summarize(
  { series, budgets, storms, memory }: Results,
  rounds: number,
): { lines: string[]; budgetsBroken: number } {
  const over = budgets.filter(({ trips, most }) => trips > most)
  const verdicts = [storms.length ? judgeStorms(storms) : null, memory.length ? judgeMemory(memory) : null]
  const lines = [
    ...(budgets.length ? ['', drawBudgets(budgets)] : []),
    ...over.flatMap(({ what, statements }) => ['', `${what}:`, ...statements.map((text) => `  ${text}`)]),
    ...(series.length ? tell(series) : []),
    '',
    ...verdicts.filter((verdict) => verdict !== null).map(({ ok, says }) => mark(ok, says)),
    ...(series.length ? [tellRatios(series, rounds)] : []),
    ...(budgets.length
      ? [mark(!over.length, `${budgets.length - over.length} of ${budgets.length} statement budgets kept`)]
      : []),
  ]
  return { lines, budgetsBroken: over.length }
}

const mark = (ok: boolean, text: string) => `${ok ? '✓' : '✗'} ${text}`

const tell = (series: Series[]): string[] => [
  '',
  drawTable(series),
  'pairs are bare / Anteroom; CPU, PG (PostgreSQL CPU), trips and rows are per operation',
  ...listCaveats(series).map((line) => `! ${line}`),
]

function tellRatios(series: Series[], rounds: number): string {
  if (rounds < JUDGED_FROM) return `  ratios are judged from ${JUDGED_FROM} rounds on`
  const judged = series.map(judge).filter((verdict) => verdict !== null)
  const reached = judged.filter((verdict) => verdict.reached).length
  return mark(reached === judged.length, `${reached} of ${judged.length} ratios reached`)
}

// What people read at the end, and the same as JSON.
import type { Spent } from './budgets.ts'
import type { Series } from './compare.ts'
import type { Round } from './measure.ts'

export type Spread = { median: number; min: number; max: number }

/** Null when nothing could be measured. */
export function spreadOf(values: (number | null)[]): Spread | null {
  const sorted = values
    .filter((value) => value !== null && !Number.isNaN(value))
    .sort((a, b) => a! - b!) as number[]
  if (sorted.length === 0) return null
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1]!, sorted[sorted.length >> 1]!]
  return { median: (lower + upper) / 2, min: sorted[0]!, max: sorted.at(-1)! }
}

const MIB = 1024 * 1024
const UNKNOWN = '–'
/** Beyond this the load is what is measured. */
const LOAD_BUSY = 0.85

const show = (spread: Spread | null, digits: number) => spread?.median.toFixed(digits) ?? UNKNOWN
const showAll = (spread: Spread | null, digits: number) =>
  spread
    ? `${spread.median.toFixed(digits)} [${spread.min.toFixed(digits)}–${spread.max.toFixed(digits)}]`
    : UNKNOWN

/** Fewer rounds than this show a tendency, and judge nothing. */
export const JUDGED_FROM = 5

/** The worst ratio that still counts, and whether it was reached; null where none is asked for. */
export function judge({
  operation,
  concurrency,
  ratios,
}: Series): { least: number; reached: boolean } | null {
  const least = operation.target[concurrency]
  const ratio = spreadOf(ratios)
  return least === undefined || !ratio || ratios.length < JUDGED_FROM
    ? null
    : { least, reached: ratio.median >= least }
}

const HEADINGS = [
  'operation',
  'at once',
  'bare /s',
  'Anteroom /s',
  'ratio',
  'least',
  'p50 ms',
  'p99 ms',
  'CPU ms',
  'PG ms',
  '+ shared',
  'trips',
  'rows',
  'RSS MiB',
]

/** Pairs are the ceiling / Anteroom; the rest is Anteroom's, per operation. */
export function drawTable(all: Series[]): string {
  return align([HEADINGS, ...all.map(drawRow)])
}

function drawRow(series: Series): string[] {
  const { operation, concurrency, bare, anteroom, ratios } = series
  const both = (pick: (round: Round) => number | null, digits: number) =>
    `${show(spreadOf(bare.map(pick)), digits)} / ${show(spreadOf(anteroom.map(pick)), digits)}`
  const ours = (pick: (round: Round) => number | null, digits: number) =>
    show(spreadOf(anteroom.map(pick)), digits)
  const perSecond = (round: Round) => round.perSecond
  const verdict = judge(series)
  return [
    operation.name,
    String(concurrency),
    showAll(spreadOf(bare.map(perSecond)), 0),
    showAll(spreadOf(anteroom.map(perSecond)), 0),
    showAll(spreadOf(ratios), 2),
    verdict ? `${verdict.least} ${verdict.reached ? '✓' : '✗'}` : '',
    both((round) => round.p50, 1),
    both((round) => round.p99, 1),
    both((round) => round.serverMs, 2),
    ours((round) => round.postgresMs, 2),
    ours((round) => round.postgresSharedMs, 2),
    ours((round) => round.statements, 1),
    ours((round) => round.rowsWritten, 1),
    both((round) => round.rssBytes / MIB, 0),
  ]
}

function align(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) => row.map((cell, i) => (i ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  '))
    .join('\n')
}

/** What a reader of the table must know: errors, refusals, a load that was the bottleneck. */
export function listCaveats(all: Series[]): string[] {
  return all.flatMap(({ operation, concurrency, bare, anteroom }) => {
    const rounds = [...bare, ...anteroom]
    const where = `${operation.name}, ${concurrency} at once`
    const errors = countErrors(rounds)
    const refused = rounds.reduce((sum, round) => sum + round.refused, 0)
    const busiest = (of: Round[]) => Math.max(0, ...of.map((round) => round.loadShare))
    const busy = Object.entries({ bare: busiest(bare), Anteroom: busiest(anteroom) })
      .filter(([, share]) => share > LOAD_BUSY)
      .map(([name, share]) => `${name} ${Math.round(share * 100)} %`)
    return [
      errors > 0 && `${where}: ${errors} WRONG ANSWERS`,
      refused > 0 && `${where}: ${refused} refused with 503 and Retry-After, not counted above`,
      busy.length > 0 && `${where}: the load kept its own core busy (${busy.join(', ')}): ratio understated`,
    ].filter((line) => line !== false)
  })
}

export const countErrors = (rounds: Round[]): number => rounds.reduce((sum, round) => sum + round.errors, 0)

export function drawBudgets(budgets: Spent[]): string {
  const rows = budgets.map(({ what, most, trips }) => [
    what,
    String(trips),
    `at most ${most}`,
    trips <= most ? 'ok' : 'TOO MANY',
  ])
  return align([['round trips to the database', 'made', 'budget', ''], ...rows])
}

/** One operation at one concurrency as it stands in the file. */
export function asJson(series: Series) {
  const { operation, concurrency, bare, anteroom, ratios } = series
  return {
    operation: operation.name,
    concurrency,
    ratio: spreadOf(ratios),
    least: judge(series)?.least ?? null,
    bare: spreads(bare),
    anteroom: spreads(anteroom),
  }
}

function spreads(rounds: Round[]): Record<string, Spread | null> {
  const names = Object.keys(rounds[0] ?? {}) as (keyof Round)[]
  return Object.fromEntries(names.map((name) => [name, spreadOf(rounds.map((round) => round[name]))]))
}

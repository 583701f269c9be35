// The two contenders side by side: alternating rounds of every operation at every concurrency.
import type { Contender } from './contenders.ts'
import { type Round, runRound } from './measure.ts'
import type { Operation } from './operations.ts'
import type { Options } from './options.ts'

export type Series = {
  operation: Operation
  concurrency: number
  bare: Round[]
  anteroom: Round[]
  /** Anteroom's operations per second to the ceiling's, round by round. */
  ratios: number[]
}

export type Pair = { bare: Contender; anteroom: Contender }

const WARM_UP_AT_ONCE = 8
/** A password costs a hash: 3,000 of them would warm the room. */
const PASSWORD_WARM_UP = 20

/** V8 needs some 3,000 requests before its figures mean anything. */
export async function warmUp(
  { bare, anteroom }: Pair,
  { operations, warmUpRequests }: Options,
): Promise<void> {
  for (const operation of operations) {
    const times = operation.anteroomAlone ? Math.min(PASSWORD_WARM_UP, warmUpRequests) : warmUpRequests
    const load = { operation, concurrency: WARM_UP_AT_ONCE, times }
    if (!operation.anteroomAlone) await runRound(bare, load)
    await runRound(anteroom, load)
  }
}

export async function compareAll(pair: Pair, options: Options): Promise<Series[]> {
  const series: Series[] = []
  for (const operation of options.operations) {
    for (const concurrency of options.concurrency) {
      process.stdout.write(`  ${operation.name}, ${concurrency} at once\n`)
      series.push(await compare(pair, { operation, concurrency, options }))
    }
  }
  return series
}

type Comparison = { operation: Operation; concurrency: number; options: Options }

/** Who goes first changes from round to round. */
async function compare(pair: Pair, { operation, concurrency, options }: Comparison): Promise<Series> {
  const series: Series = { operation, concurrency, bare: [], anteroom: [], ratios: [] }
  const load = { operation, concurrency, ms: options.roundMs }
  for (let i = 0; i < options.rounds; i++) {
    const order = i % 2 ? (['anteroom', 'bare'] as const) : (['bare', 'anteroom'] as const)
    for (const name of order) {
      if (name === 'anteroom' || !operation.anteroomAlone) series[name].push(await runRound(pair[name], load))
    }
    const [bare, anteroom] = [series.bare.at(-1), series.anteroom.at(-1)!]
    if (bare) series.ratios.push(anteroom.perSecond / bare.perSecond)
  }
  return series
}

// What may be said on the command line.
import { parseArgs } from 'node:util'
import { LEAST_FLOWS } from './memory.ts'
import { OPERATIONS, type Operation } from './operations.ts'

export type Options = {
  short: boolean
  operations: Operation[]
  concurrency: number[]
  rounds: number
  roundMs: number
  warmUpRequests: number
  flows: number
  profileDir: string | undefined
  /** Which parts run; all of them unless one was asked for. */
  parts: { ratios: boolean; budgets: boolean; storm: boolean; memory: boolean }
}

export const USAGE = `npm run bench [-- options]
  --short              seconds only, judges no times, fails on statement budgets
  --only NAME          one operation: ${OPERATIONS.map(({ name }) => name).join(' | ')}
  --concurrency 8,64   how many ask at once
  --rounds N           alternating rounds of each (5)
  --seconds N          length of a round (2)
  --storm              only the 200 simultaneous sign-ins
  --memory             only the memory over many code flows
  --flows N            how many (100000)
  --profile FOLDER     writes a CPU profile of Anteroom there`

/** @throws Error for what is not understood */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string' },
      concurrency: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      storm: { type: 'boolean', default: false },
      memory: { type: 'boolean', default: false },
      flows: { type: 'string', default: '100000' },
      profile: { type: 'string' },
    },
  })
  const { short, only, storm, memory } = values
  const operations = OPERATIONS.filter(({ name }) => only === undefined || name === only)
  if (operations.length === 0) throw new Error(`there is no operation ${only}`)
  const flows = positive(values.flows)
  if (flows < LEAST_FLOWS) throw new Error(`fewer than ${LEAST_FLOWS} flows show nothing`)
  const whole = !short && only === undefined && !storm && !memory
  return {
    short,
    operations,
    concurrency: (values.concurrency?.split(',') ?? (short ? ['8'] : ['1', '8', '16', '32', '64'])).map(
      positive,
    ),
    rounds: positive(values.rounds ?? (short ? '1' : '5')),
    roundMs: positive(values.seconds ?? (short ? '0.3' : '2')) * 1000,
    warmUpRequests: short ? 50 : 3000,
    flows,
    profileDir: values.profile,
    parts: {
      ratios: !storm && !memory,
      budgets: short || whole,
      storm: storm || whole,
      memory: memory || whole,
    },
  }
}

function positive(text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new Error(`${text} is not a number above 0`)
  return number
}

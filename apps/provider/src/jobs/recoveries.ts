// Tells people day by day that a recovery of their account runs, and sends the link when its wait is over.
import { MINUTE } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Recoveries } from '../methods/lost-factors/recoveries.ts'
import type { Job } from './repeat.ts'

type Dependencies = { recoveries: Pick<Recoveries, 'listDue' | 'tellDue'>; log: Log; size?: number }

const EVERY = 5 * MINUTE
/** Recoveries to a look: few people lose everything on the same day. */
const SIZE = 100

/** All instances do it: each recovery is told of in a transaction of its own, by whoever comes first. */
export function createRecoveryNews({ recoveries, log, size = SIZE }: Dependencies): Job {
  /** How many of them nobody has told of meanwhile. */
  async function tellAll(ids: string[], signal: AbortSignal): Promise<number> {
    let told = 0
    for (const id of ids) {
      if (signal.aborted) break
      try {
        if (await recoveries.tellDue(id)) told++
      } catch (error) {
        log.error({ err: error, recovery: id }, 'a recovery could not be told of; the next run tries again')
      }
    }
    return told
  }

  return {
    name: 'recoveries',
    every: EVERY,
    async run(signal) {
      for (let told = size; told === size && !signal.aborted; )
        told = await tellAll(await recoveries.listDue(size), signal)
    },
  }
}

import { setTimeout } from 'node:timers/promises'
import type { Connection } from '../db/database.ts'
import { SECOND } from '../lib/clock.ts'

/** One short statement's worth of work: rows changed, where the next one begins, and whether there is one. */
export type Step<Position> = (
  connection: Connection,
  after: Position | null,
) => Promise<{ changed: number; next: Position | null; more: boolean }>

/** Waits between two steps. @param busy milliseconds that the last one took */
export type Rest = (busy: number, signal: AbortSignal) => Promise<unknown>

/** Takes steps to the end; a step that was begun when `signal` asks to stop is finished. How many rows it changed. */
export type Walk = (connection: Connection, rest: Rest, signal: AbortSignal) => Promise<number>

/** A walk that was broken off goes on next time where it was; one that came to its end begins where that says. */
export function createWalk<Position>(step: Step<Position>): Walk {
  let position: Position | null = null
  return async (connection, rest, signal) => {
    let changed = 0
    let more = true
    while (more && !signal.aborted) {
      const began = performance.now()
      const done = await step(connection, position)
      position = done.next
      changed += done.changed
      more = done.more
      if (more) await rest(performance.now() - began, signal)
    }
    return changed
  }
}

const WORKING_PERCENT = 10
/** Shorter than a silence that counts as a lost connection. */
const LONGEST_REST = 5 * SECOND

/** People who wait come first: of any time the database works for us but a tenth. */
export const restNineTenths: Rest = (busy, signal) =>
  setTimeout(Math.min(LONGEST_REST, busy * (100 / WORKING_PERCENT - 1)), undefined, { signal }).catch(
    () => {},
  )

// How long and how hard: a short form for `npm test`, the full one for `npm run faults`.
import { findPostgresPrograms } from '../../support/postgres.ts'

export const isFull = process.env['ANTEROOM_FAULTS'] === 'full'

/** The one or the other. */
export const extent = <T>(short: T, full: T): T => (isFull ? full : short)

/** Faults of the database need one of their own, to be stopped and paused. */
export const canHurtPostgres =
  process.env['ANTEROOM_TEST_DATABASE'] !== 'embedded' && findPostgresPrograms() !== null

/** The same choices each time, in the same order (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

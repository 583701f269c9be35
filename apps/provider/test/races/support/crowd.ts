// Twenty that do the same thing at once, half of them at each of two processes.
import type { Pool } from 'pg'
import { artifact, meet } from './barrier.ts'
import type { Answer } from './requests.ts'

export const PARTIES = 20

type Origins = [string, string]

export const originOf = (origins: Origins, index: number) => origins[index % 2 ? 1 : 0]

export const crowd = <T>(
  origins: Origins,
  ask: (origin: string, index: number) => Promise<T>,
): Promise<T>[] => Array.from({ length: PARTIES }, (_, index) => ask(originOf(origins, index), index))

/**
 * The crowd meets at one artefact: all are past the check before any is past the claim. Where commits travel together
 * (`waiting` fewer) the others wait in their process for those that wait in PostgreSQL.
 */
export const meetAt = <T>(
  pool: Pool,
  [kind, id, waiting = PARTIES]: [kind: string, id: string, waiting?: number],
  start: () => Promise<T>[],
) => meet(pool, { at: artifact(kind, id), waiting }, start)

/** The one that succeeded, and in which words the others were refused. */
export function judge(answers: Answer[]) {
  const winners = answers.filter(({ status }) => status === 200)
  const losers = answers.filter(({ status }) => status !== 200)
  return { winners, refusals: new Set(losers.map(({ status, body }) => `${status} ${body['error']}`)) }
}

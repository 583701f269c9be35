import type { Allowance, Limits, Lock, Taken } from './store.ts'

/** Tries as a page takes them: several limits as one. */
export type Tries = {
  /** Takes one try of each, or of none. */
  take(allowances: Allowance[]): Promise<Taken>
  giveBack(allowances: Allowance[]): Promise<void>
  /** Runs what was tried. What breaks down on our side (too busy, no database) was no try. */
  attempt<T>(allowances: Allowance[], work: () => Promise<T>): Promise<T>
  /** The try was right. */
  succeed(allowances: Allowance[]): Promise<void>
  /** The try was wrong: what it closed, if it was the last one and nobody else's was the last as well. */
  fail(taken: Taken): Promise<Lock | null>
  /** All is as if nobody had ever tried. */
  forget(allowances: Allowance[]): Promise<void>
}

export function createTries(limits: Limits): Tries {
  const each = async (allowances: Allowance[], act: (allowance: Allowance) => Promise<unknown>) => {
    await Promise.all(allowances.map(act))
  }
  const giveBack = (allowances: Allowance[]) => each(allowances, limits.giveBack)
  return {
    take: limits.takeAll,
    giveBack,
    succeed: (allowances) => each(allowances, limits.succeed),
    fail: limits.fail,
    forget: (allowances) => each(allowances, limits.forget),
    async attempt(allowances, work) {
      try {
        return await work()
      } catch (error) {
        await giveBack(allowances)
        throw error
      }
    },
  }
}

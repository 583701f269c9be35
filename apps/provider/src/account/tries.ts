import type { Allowance, Limits } from '../limits/store.ts'

export type Tries = ReturnType<typeof createTries>

/** Several limits as one. */
export function createTries(limits: Limits) {
  const each = async (allowances: Allowance[], act: (allowance: Allowance) => Promise<unknown>) => {
    await Promise.all(allowances.map(act))
  }
  return {
    /** Takes one try of each; seconds to wait when one of them is used up. */
    async take(allowances: Allowance[]): Promise<number | null> {
      const waits = await Promise.all(allowances.map(limits.take))
      const known = waits.filter((wait) => wait !== null)
      return known.length ? Math.max(...known) : null
    },
    giveBack: (allowances: Allowance[]) => each(allowances, limits.giveBack),
    succeed: (allowances: Allowance[]) => each(allowances, limits.succeed),
    /** What breaks down on our side (too busy, no database) was no try. */
    async attempt<T>(allowances: Allowance[], work: () => Promise<T>): Promise<T> {
      try {
        return await work()
      } catch (error) {
        await each(allowances, limits.giveBack)
        throw error
      }
    },
  }
}

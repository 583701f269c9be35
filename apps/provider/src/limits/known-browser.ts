import type { Allowance } from './store.ts'

/**
 * The tries of a browser the person is known in: as many as anybody has for the account, but its own, so that strangers
 * cannot use them up. What is not about the account alone stays shared.
 */
export const ofBrowser = (browser: string | null, allowances: Allowance[]): Allowance[] =>
  browser === null
    ? allowances
    : allowances.map((allowance) =>
        allowance.endsWithSuccess ? { ...allowance, key: `${browser}\0${allowance.key}` } : allowance,
      )

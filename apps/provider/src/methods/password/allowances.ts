import type { Allowance } from '../../limits/store.ts'

/** What a password's tries are counted under for one account, by its canonical address; what a reset forgets. */
export const accountAllowances = (account: string): Allowance[] => [
  { limit: 'password_in_a_row', key: account, pace: 'password_pace', endsWithSuccess: true },
  { limit: 'password_per_account', key: account, endsWithSuccess: true },
]

import type { Allowance } from '../../limits/store.ts'

/** What wrong codes are counted under for one person; forgotten with the authenticator they were tried at. */
export const accountAllowances = (userId: string): Allowance[] => [
  { limit: 'totp_per_account', key: userId, endsWithSuccess: true },
  { limit: 'totp_in_a_row', key: userId, endsWithSuccess: true },
]

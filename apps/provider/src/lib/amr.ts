/** Authentication Method Reference values (RFC 8176, section 2, and `fed` for another provider's word), as we list them. */
const TOLD = ['pwd', 'fed', 'hwk', 'swk', 'otp', 'user', 'mfa'] as const

/**
 * `app` and `recovery` are our own and tell which code an `otp` was, where it was no mailed one: kept with the session, told to
 * nobody.
 */
export const AMR = [...TOLD, 'app', 'recovery'] as const
export type Amr = (typeof AMR)[number]

/** What an app is told of it. */
export const amrToTell = (amr: readonly string[]): string[] =>
  amr.filter((value) => (TOLD as readonly string[]).includes(value))

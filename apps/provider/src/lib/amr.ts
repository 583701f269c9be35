/** Authentication Method Reference values (RFC 8176, section 2, and `fed` for another provider's word), as we list them. */
const TOLD = ['pwd', 'fed', 'hwk', 'swk', 'otp', 'user', 'mfa'] as const

/** `recovery` is our own, of a recovery code beside its `otp`: kept with the session and told to nobody. */
export const AMR = [...TOLD, 'recovery'] as const
export type Amr = (typeof AMR)[number]

/** What an app is told of it. */
export const amrToTell = (amr: readonly string[]): string[] =>
  amr.filter((value) => (TOLD as readonly string[]).includes(value))

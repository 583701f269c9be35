/** Authentication Method Reference values (RFC 8176, section 2, and `fed` for another provider's word), as we list them. */
export const AMR = ['pwd', 'fed', 'hwk', 'swk', 'otp', 'user', 'mfa'] as const
export type Amr = (typeof AMR)[number]

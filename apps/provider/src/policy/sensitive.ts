// What an act that cannot be undone lightly asks of a session: the strongest factor its person has.
import { type SecondFactor, secondFactorsAmong } from '../config/factors.ts'
import { isKeyAmong } from './session-proofs.ts'
import { type Acr, isAcr, ONE_FACTOR, PHISHING_RESISTANT, reaches, TWO_FACTORS } from './strength.ts'

/** What a session tells of the sign-in it was made with. */
export type Held = { amr?: readonly string[] | undefined; acr?: string | undefined }

/** The credential types of a person, and those that count as a second factor (`policy.factors.accepted`). */
export type Own = { types: readonly string[]; accepted: readonly SecondFactor[] }

const strongestOf = ({ types, accepted }: Own) =>
  secondFactorsAmong(types).find((factor) => accepted.includes(factor))

/** The class to wish for where somebody is sent to prove who they are. */
export function strongestClass(own: Own): Acr {
  const strongest = strongestOf(own)
  if (!strongest) return ONE_FACTOR
  return strongest === 'passkey' ? PHISHING_RESISTANT : TWO_FACTORS
}

/**
 * Whether the strongest factor was brought (SP 800-63B-4, section 4.1.2.1); how long ago is for the entrance to ask. A recovery
 * code stands in for it: whoever came in with one has lost the rest and is here to replace it. A trusted device never does.
 */
export function isStrongest({ amr = [], acr = '' }: Held, own: Own): boolean {
  const strongest = strongestOf(own)
  if (!strongest || amr.includes('recovery')) return true
  if (strongest === 'passkey') return isKeyAmong(amr)
  return isAcr(acr) && reaches(acr, TWO_FACTORS)
}

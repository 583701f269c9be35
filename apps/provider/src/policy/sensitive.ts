// What an act that cannot be undone lightly asks of a session: the strongest factor its person has.
import { type SecondFactor, secondFactorsAmong } from '../config/factors.ts'
import { offeredOf } from './next-step.ts'
import { isKeyAmong, proofsOf } from './session-proofs.ts'
import { type Acr, acrOf, isAcr, ONE_FACTOR, PHISHING_RESISTANT, reaches, TWO_FACTORS } from './strength.ts'

/** What a session tells of the sign-in it was made with. */
export type Held = { amr?: readonly string[] | undefined; acr?: string | undefined }

/** The credential types of a person, and those that count as a second factor (`policy.factors.accepted`). */
export type Own = { types: readonly string[]; accepted: readonly SecondFactor[] }

/** One that counts no more as well, where a sign-in would ask for it: a browser that was spared it brings it here. */
const strongestOf = ({ types, accepted }: Own) => offeredOf(secondFactorsAmong(types), accepted)[0]

/**
 * The class to wish for where somebody is sent to prove who they are; null where they have nothing but a first factor. What
 * counts no more reaches no class: any wish at all makes the sign-in look whether it was brought.
 */
export function strongestClass(own: Own): Acr | null {
  const strongest = strongestOf(own)
  if (!strongest) return null
  if (!own.accepted.includes(strongest)) return ONE_FACTOR
  return strongest === 'passkey' ? PHISHING_RESISTANT : TWO_FACTORS
}

/**
 * Whether the strongest factor was brought (SP 800-63B-4, section 4.1.2.1); how long ago is for the entrance to ask. A recovery
 * code stands in for it: whoever came in with one has lost the rest and is here to replace it. A trusted device never does.
 */
export function isStrongest({ amr = [], acr = '' }: Held, own: Own): boolean {
  const strongest = strongestOf(own)
  if (!strongest || amr.includes('recovery')) return true
  if (strongestClass(own) === PHISHING_RESISTANT) return isKeyAmong(amr)
  // Its own word is as old as the session, and what counts may have changed since; its proofs are judged like a sign-in's.
  const proved = acrOf(proofsOf(amr), [...own.accepted, strongest])
  return reaches(proved, TWO_FACTORS) || (isAcr(acr) && reaches(acr, TWO_FACTORS))
}

// Whether somebody who is signed in has proved it recently enough for an act that cannot be undone lightly.
import { SECOND_FACTORS, type SecondFactor } from '../config/factors.ts'
import { SECOND } from '../lib/clock.ts'
import type { Proof } from './strength.ts'

export type FreshnessFacts = {
  /** The person the page is about. */
  accountId: string
  /** This browser's session: whose it is, and what was brought in it. */
  session: { accountId: string; proofs: readonly Proof[] }
  /** The person's second factors. */
  enrolled: readonly SecondFactor[]
  /** Their ways in, for whoever has no second factor. */
  waysIn: readonly string[]
  /** Milliseconds since the epoch. */
  now: number
  /** How old a proof may be, in milliseconds (`policy.lifetimes.fresh_proof`). */
  within: number
}

/** By so much an instance's clock may be ahead of another's. */
const CLOCK_TOLERANCE = 30 * SECOND

/**
 * The strongest factor the person has is asked for (SP 800-63B-4, section 4.1.2.1). A recovery code stands in for it: whoever
 * came in with one has lost the strongest and is here to replace it. A trusted device never does.
 */
export function freshness(facts: FreshnessFacts): 'fresh' | { ask: string[] } {
  const ask = askedFor(facts)
  const isOwn = facts.session.accountId === facts.accountId
  return isOwn && facts.session.proofs.some((proof) => isRecent(proof, facts) && ask.includes(proof.method))
    ? 'fresh'
    : { ask }
}

function askedFor({ enrolled, waysIn }: FreshnessFacts): string[] {
  const own = SECOND_FACTORS.filter((method) => enrolled.includes(method))
  const [strongest] = own
  return strongest ? own.filter((method) => method === strongest || method === 'recovery-codes') : [...waysIn]
}

function isRecent({ at }: Proof, { now, within }: FreshnessFacts): boolean {
  const age = now - at
  return age >= -CLOCK_TOLERANCE && age <= within
}

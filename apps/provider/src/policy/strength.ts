// How strong a sign-in is: what the proofs brought so far amount to together.
import type { SecondFactor } from '../config/factors.ts'
import { AMR, type Amr } from '../lib/amr.ts'

/** Authentication context classes, the weakest first. The last is of OpenID EAP ACR Values 1.0, section 4. */
export const ACRS = ['urn:anteroom:acr:1', 'urn:anteroom:acr:2', 'phr'] as const
export type Acr = (typeof ACRS)[number]
export const [ONE_FACTOR, TWO_FACTORS, PHISHING_RESISTANT] = ACRS

export const isAcr = (value: string): value is Acr => (ACRS as readonly string[]).includes(value)

/** Whether one class is as good as another; null is as good as none. */
export const reaches = (acr: Acr | null, wanted: Acr): boolean =>
  acr !== null && ACRS.indexOf(acr) >= ACRS.indexOf(wanted)

/**
 * What a thief would have to take. Two of one kind are one factor. A wallet is something one has as well, but no second
 * factor of ours: on its own it never satisfies MFA, and beside an authenticator app it is what that app is asked after.
 */
export type Kind = 'knowledge' | 'mailbox' | 'upstream' | 'wallet' | 'possession'

/** One proof somebody brought. `method`: its id; `at`: when, in milliseconds since the epoch. */
export type Proof = { method: string; kind: Kind; amr: readonly Amr[]; at: number }

/** `acr` is null while nothing says who it is. */
export type Strength = { amr: Amr[]; acr: Acr | null }

/** Second factors that do not say who somebody is: they are asked of a person another proof has named. */
const NEVER_FIRST: readonly string[] = ['totp', 'recovery-codes'] satisfies SecondFactor[]

const isKey = ({ amr }: Proof) => amr.includes('hwk') || amr.includes('swk')

/** A passkey that was unlocked by a finger, a face or a PIN: something one has, and something one is or knows. */
const isVerifiedPasskey = (proof: Proof) =>
  proof.kind === 'possession' && isKey(proof) && proof.amr.includes('user')

/** Another provider's word for it, where the operator takes that word: only then its method says `mfa`. */
const isTrustedUpstream = ({ kind, amr }: Proof) => kind === 'upstream' && amr.includes('mfa')

const isTwoAlone = (proof: Proof) => isVerifiedPasskey(proof) || isTrustedUpstream(proof)

/** `mfa` is our conclusion, `user` a passkey's alone, and what another provider was shown is not what we were shown. */
function ownAmr(proof: Proof): readonly Amr[] {
  if (proof.kind === 'upstream') return ['fed']
  return proof.amr.filter((value) => value !== 'mfa' && (value !== 'user' || isVerifiedPasskey(proof)))
}

const isFirst = ({ method }: Proof) => !NEVER_FIRST.includes(method)

/**
 * What the proofs amount to together, in any order.
 * @param counted the second factors that make two of one; a mailed code, an upstream and a wallet never do
 */
export const combine = (proofs: readonly Proof[], counted: readonly SecondFactor[]): Strength => ({
  amr: amrOf(proofs, counted),
  acr: acrOf(proofs, counted),
})

function amrOf(proofs: readonly Proof[], counted: readonly SecondFactor[]): Amr[] {
  const values = new Set(proofs.flatMap(ownAmr))
  if (isTwo(proofs, counted)) values.add('mfa')
  return AMR.filter((value) => values.has(value))
}

/** The `acr` of `combine` alone. */
export function acrOf(proofs: readonly Proof[], counted: readonly SecondFactor[]): Acr | null {
  if (!proofs.some(isFirst)) return null
  if (!isTwo(proofs, counted)) return ONE_FACTOR
  return proofs.some(isVerifiedPasskey) ? PHISHING_RESISTANT : TWO_FACTORS
}

function isTwo(proofs: readonly Proof[], counted: readonly string[]): boolean {
  const isSecond = ({ method, kind }: Proof) => kind === 'possession' && counted.includes(method)
  const fitsFirst = (second: Proof) => proofs.some((first) => isFirst(first) && first.kind !== second.kind)
  return proofs.some((proof) => isTwoAlone(proof) || (isSecond(proof) && fitsFirst(proof)))
}

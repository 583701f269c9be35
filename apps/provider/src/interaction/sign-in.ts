import type { Factors, SecondFactor } from '../config/factors.ts'
import { type NextStep, nextStep, type SignIn } from '../policy/next-step.ts'
import { proofsOf } from '../policy/session-proofs.ts'
import type { Proof } from '../policy/strength.ts'
import type { User } from '../users/user.ts'
import type { Journey } from './journey.ts'

/** What the engine is told about a person who is signed in. */
export type Login = {
  accountId: string
  /** The person's at the moment of the proof: a change of their credentials since then makes it worthless. */
  generation: number
  amr: string[]
  acr: string
  /** False: the cookie goes when the browser is closed. */
  remember: boolean
}

export type Facts = {
  journey: Journey
  user: User
  /** Brought in this journey. */
  proofs: Proof[]
  /** The second factors the person has. */
  enrolled: SecondFactor[]
  /** This browser stands in for the second factor of this person, where that is enough. */
  isTrustedDevice: boolean
  policy: Factors
}

export type Decision =
  | { step: 'admit'; login: Login }
  /** `canTrust`: had this browser been trusted before, nothing would be asked now. */
  | (Extract<NextStep, { step: 'prove' }> & { canTrust: boolean })
  | Exclude<NextStep, { step: 'done' | 'prove' }>

/** The single place that decides whether a person is signed in. */
export function decideSignIn({ journey, user, proofs, policy, ...facts }: Facts): Decision {
  const { acrRequest, requiresSecondFactor, since } = journey
  const signIn: SignIn = {
    proofs: [...sessionProofs(journey, user), ...proofs],
    person: { isAdministrator: false, enrolled: facts.enrolled },
    isTrustedDevice: facts.isTrustedDevice,
    request: { ...acrRequest, requiresSecondFactor, since },
    policy,
  }
  const next = nextStep(signIn)
  if (next.step === 'prove')
    return { ...next, canTrust: nextStep({ ...signIn, isTrustedDevice: true }).step === 'done' }
  if (next.step !== 'done') return next
  const { amr, acr } = next
  const { id: accountId, generation } = user
  return { step: 'admit', login: { accountId, generation, amr, acr, remember: false } }
}

/** For any other reason the session's own proofs do not count. */
const STEP_UP_REASON = 'acr_unmet'

/** Is nothing asked of somebody who is signed in but one more proof? */
export const isStepUp = ({ session, reasons }: Journey): boolean =>
  session !== null && reasons.every((reason) => reason === STEP_UP_REASON)

function sessionProofs(journey: Journey, user: User): Proof[] {
  const { session } = journey
  return session?.accountId === user.id && isStepUp(journey) ? proofsOf(session.amr) : []
}

// The one decision of a sign-in: signed in, one more proof, a second factor to enrol, or no.
import { type Factors, type SecondFactor, STAND_IN, secondFactorsAmong } from '../config/factors.ts'
import type { Amr } from '../lib/amr.ts'
import { type AcrRequest, leastAnswer } from './request.ts'
import {
  type Acr,
  acrOf,
  combine,
  ONE_FACTOR,
  PHISHING_RESISTANT,
  type Proof,
  reaches,
  TWO_FACTORS,
} from './strength.ts'

export type SignIn = {
  /** Brought in this journey, or in the session it goes on from. */
  proofs: readonly Proof[]
  /** The person the proofs name. `enrolled`: the second factors they have. */
  person: { isAdministrator: boolean; enrolled: readonly SecondFactor[] }
  /** The browser has seen a second factor of this person, no longer ago than `trusted_device`. */
  isTrustedDevice: boolean
  request: AcrRequest & {
    /** The client's `require_second_factor`. */
    requiresSecondFactor: boolean
    /** Older proofs do not count (`max_age`, `prompt=login`), milliseconds since the epoch; null where any age will do. */
    since: number | null
  }
  policy: Factors
}

export type NextStep =
  /** `authTime`: of the last proof, in milliseconds since the epoch. `acr`: the truth; what a client is told, `acrToTell` says. */
  | { step: 'done'; amr: Amr[]; acr: Acr; authTime: number }
  /** `first`: any way in that has not been used. `second`: one of the methods, strongest first. */
  | { step: 'prove'; which: 'first' | 'second'; methods: SecondFactor[] }
  /** The person does nothing else before they have one of these. */
  | { step: 'enrol'; methods: SecondFactor[] }
  | { step: 'refuse'; reason: 'essential_acr_out_of_reach' }

const REFUSED: NextStep = { step: 'refuse', reason: 'essential_acr_out_of_reach' }
const ANY_WAY_IN: NextStep = { step: 'prove', which: 'first', methods: [] }

export function nextStep(signIn: SignIn): NextStep {
  const rules = rulesOf(signIn)
  if (rules.need === null) return REFUSED
  const { amr, acr } = combine(rules.proofs, signIn.policy.accepted)
  if (acr === null) return ANY_WAY_IN
  if (isEnough(rules, rules.proofs))
    return { step: 'done', amr, acr, authTime: Math.max(...rules.proofs.map(({ at }) => at)) }
  if (rules.enrollable.length)
    return isOwnFactorProved(rules, rules.proofs) ? enrolment(rules) : proveOwn(rules, isOwnFactorProved)
  return proveOwn(rules, isEnough)
}

type Rules = {
  /** Those that are young enough. */
  proofs: readonly Proof[]
  /** The person's second factors that are asked for, strongest first. */
  offered: SecondFactor[]
  counted: readonly SecondFactor[]
  /** What they could enrol, where they have to. */
  enrollable: SecondFactor[]
  /** A second factor is to be brought by somebody who has one. */
  asksForOwn: boolean
  /** The class to be reached; null where it cannot be. */
  need: Acr | null
  /** The same without what is only wished for. */
  least: Acr | null
}

function rulesOf({ person, request, policy, isTrustedDevice, ...brought }: SignIn): Rules {
  const { since } = request
  const proofs = brought.proofs.filter(({ at }) => since === null || at >= since)
  const offered = offeredOf(person.enrolled, policy.accepted)
  const mustHaveOne = hasToHaveOne(person, policy) || request.requiresSecondFactor
  const enrollable = mustHaveOne ? missing(offered, policy.accepted) : []
  // Only for what has to be met is anything asked that counts no more, or is not there yet.
  const counting = offered.filter((method) => policy.accepted.includes(method))
  const within = request.essential ? [...offered, ...enrollable] : yetToShow(proofs, counting)
  const answer = leastAnswer(request, bestOf(proofs, within, policy.accepted))
  const isVouchedFor = isTrustedDevice && policy.trusted_device > 0 && enrollable.length === 0
  const deviceStandsIn = isVouchedFor && isOrdinary(person, request)
  const floor = mustHaveOne && !deviceStandsIn ? TWO_FACTORS : ONE_FACTOR
  const need = answer === ONE_FACTOR ? floor : answer
  return {
    proofs,
    offered,
    counted: policy.accepted,
    enrollable,
    asksForOwn: offered.length > 0 && !deviceStandsIn,
    need,
    least: request.essential ? need : floor,
  }
}

const isOwnKind = (method: SecondFactor) => method !== STAND_IN

/**
 * What a wish can still lead to: nobody is asked twice for the same, nor for a recovery code where nothing counts that it could
 * stand in for; and whoever brings one has lost the rest.
 */
function yetToShow(proofs: readonly Proof[], methods: SecondFactor[]): SecondFactor[] {
  const isBrought = (method: SecondFactor) => proofs.some((proof) => proof.method === method)
  if (isBrought(STAND_IN) || !methods.some(isOwnKind)) return []
  return methods.filter((method) => !isBrought(method))
}

/** What somebody could enrol who has nothing that counts; recovery codes only stand in for something. */
export const missing = (offered: readonly SecondFactor[], accepted: readonly SecondFactor[]) =>
  offered.some((method) => isOwnKind(method) && accepted.includes(method)) ? [] : accepted.filter(isOwnKind)

/** What counts no more is still asked of whoever has nothing else: else a new rule would open their account to a password. */
export function offeredOf(
  enrolled: readonly SecondFactor[],
  accepted: readonly SecondFactor[],
): SecondFactor[] {
  const own = secondFactorsAmong(enrolled)
  const counting = own.filter((method) => accepted.includes(method))
  if (counting.some(isOwnKind)) return counting
  const asked = own.filter((method) => isOwnKind(method) || accepted.includes(method))
  return asked.length ? asked : own
}

/** Who has to have a second factor, by the policy alone. */
export const hasToHaveOne = ({ isAdministrator }: SignIn['person'], { second_factor_for }: Factors) =>
  second_factor_for === 'everyone' || (second_factor_for === 'administrators' && isAdministrator)

/** A device that is trusted is no proof: it stands in where nothing but a sign-in is asked for, and never lowers `need`. */
const isOrdinary = ({ isAdministrator }: SignIn['person'], request: SignIn['request']) =>
  !isAdministrator && !request.requiresSecondFactor && request.since === null

/** The strongest sign-in of this person, whatever way in they use; of one nobody has named, of anybody. */
function bestOf(proofs: readonly Proof[], methods: SecondFactor[], accepted: readonly SecondFactor[]): Acr {
  const reached = acrOf(proofs, accepted)
  const possible = acrOf([PASSWORD, ...methods.map(proofBy)], accepted) ?? ONE_FACTOR
  if (reached === null) return PHISHING_RESISTANT
  return reaches(reached, possible) ? reached : possible
}

const PASSWORD: Proof = { method: 'password', kind: 'knowledge', amr: ['pwd'], at: 0 }

/** As it would be brought at its best. */
const proofBy = (method: SecondFactor): Proof => ({
  method,
  kind: 'possession',
  amr: method === 'passkey' ? ['hwk', 'user'] : ['otp'],
  at: 0,
})

const isEnough = (rules: Rules, proofs: readonly Proof[]) =>
  isOwnFactorProved(rules, proofs) && rules.need !== null && reaches(acrOf(proofs, rules.counted), rules.need)

const isOwnFactorProved = ({ asksForOwn, counted, offered }: Rules, proofs: readonly Proof[]) =>
  !asksForOwn || reaches(acrOf(proofs, [...counted, ...offered]), TWO_FACTORS)

/** Nothing is enrolled by anybody who has a second factor and has not brought it, though it may count no more. */
function proveOwn(rules: Rules, isGoal: typeof isEnough): NextStep {
  const goalOf = (method: SecondFactor) => (method === STAND_IN ? { ...rules, need: rules.least } : rules)
  const methods = rules.offered.filter((method) => isGoal(goalOf(method), [...rules.proofs, proofBy(method)]))
  return methods.length ? { step: 'prove', which: 'second', methods } : ANY_WAY_IN
}

function enrolment(rules: Rules): NextStep {
  const methods = rules.enrollable.filter((method) => isEnough(rules, [...rules.proofs, proofBy(method)]))
  return methods.length ? { step: 'enrol', methods } : proveOwn(rules, isEnough)
}

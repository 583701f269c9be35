// The rules once more, in other words, held against every sign-in there is.
import { expect, test } from 'vitest'
import { areTwo, POLICIES, PROOF_SETS, PROOFS, situations } from '../../test/support/sign-ins.ts'
import { DAY } from '../lib/clock.ts'
import { nextStep, type SignIn } from './next-step.ts'
import type { Proof } from './strength.ts'

const SITUATIONS = situations()

/** Why nobody may be signed in with these proofs; null where nothing speaks against it. */
function objection({ proofs, person, policy, request }: SignIn): string | null {
  const isTwo = areTwo(proofs as Proof[], policy.accepted)
  const isOrdinary =
    !person.isAdministrator &&
    !request.requiresSecondFactor &&
    (request.essential?.includes('urn:anteroom:acr:1') ?? true)
  const isRemembered = policy.trusted_device > 0 && person.enrolled.length > 0 && isOrdinary
  const who = policy.second_factor_for
  if (!proofs.some(({ method }) => !['totp', 'recovery-codes'].includes(method))) return 'nobody is named'
  if (
    person.enrolled.length &&
    !isRemembered &&
    !areTwo(proofs as Proof[], [...policy.accepted, ...person.enrolled])
  )
    return 'the enrolled factor was not asked for'
  if ((who === 'everyone' || (who === 'administrators' && person.isAdministrator)) && !isTwo && !isRemembered)
    return 'the policy was not kept'
  if (request.requiresSecondFactor && !isTwo) return 'the client asked for two'
  if (request.essential?.includes('urn:anteroom:acr:1')) return null
  if (request.essential?.includes('urn:anteroom:acr:2')) return isTwo ? null : 'the request asked for two'
  if (request.essential?.includes('phr'))
    return proofs.includes(PROOFS.passkey) ? null : 'no passkey was used'
  return request.essential ? 'what is essential is unknown' : null
}

test('nobody is signed in without the proofs that are asked for, whatever four proofs they bring', () => {
  const wrong: unknown[] = []
  for (const situation of SITUATIONS)
    for (const proofs of PROOF_SETS) {
      const signIn = { ...situation, proofs }
      if (nextStep(signIn).step === 'done' && objection(signIn) !== null)
        wrong.push(objection(signIn), signIn)
    }
  expect(wrong.slice(0, 2)).toEqual([])
}, 300_000)

test('the situations hold every policy there is', () => {
  expect(POLICIES).toHaveLength(36)
  expect(new Set(POLICIES.map(({ trusted_device }) => trusted_device))).toEqual(new Set([0, 30 * DAY]))
  expect(SITUATIONS).toHaveLength(36 * 16 * 22)
})

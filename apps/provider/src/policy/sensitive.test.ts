import { describe, expect, test } from 'vitest'
import { FACTOR_SETS, POLICIES, PROOF_SETS, PROOFS } from '../../test/support/sign-ins.ts'
import { type Factors, SECOND_FACTORS, type SecondFactor } from '../config/factors.ts'
import { nextStep, type SignIn } from './next-step.ts'
import { isStrongest, strongestClass } from './sensitive.ts'
import { proofsOf } from './session-proofs.ts'
import { combine, type Proof } from './strength.ts'

const own = (...types: string[]) => ({ types: ['password', ...types], accepted: [...SECOND_FACTORS] })
const session = (acr: string, ...amr: string[]) => ({ acr, amr })

const PASSWORD = session('urn:anteroom:acr:1', 'pwd')
const APP = session('urn:anteroom:acr:2', 'pwd', 'otp', 'mfa')
const PASSKEY = session('phr', 'swk', 'user', 'mfa')
const TOUCHED = session('urn:anteroom:acr:2', 'pwd', 'hwk', 'mfa')
const PAPER = session('urn:anteroom:acr:2', 'pwd', 'otp', 'mfa', 'recovery')

test.each([
  ['nothing else', own(), [PASSWORD, APP, PASSKEY, TOUCHED, PAPER], null],
  ['an app', own('totp', 'recovery-codes'), [APP, PASSKEY, TOUCHED, PAPER], 'urn:anteroom:acr:2'],
  ['a passkey', own('passkey', 'recovery-codes'), [PASSKEY, TOUCHED, PAPER], 'phr'],
  ['both', own('totp', 'recovery-codes', 'passkey'), [PASSKEY, TOUCHED, PAPER], 'phr'],
])('who has %s is asked for the strongest; a recovery code stands in for it', (_, person, enough, wish) => {
  const all = [PASSWORD, APP, PASSKEY, TOUCHED, PAPER]
  expect(all.filter((held) => isStrongest(held, person))).toEqual(enough)
  expect(strongestClass(person)).toBe(wish)
})

describe('what counts no more', () => {
  const accepted: SecondFactor[] = ['totp']

  test('is not asked for beside something that counts', () => {
    expect(strongestClass({ types: ['passkey', 'totp'], accepted })).toBe('urn:anteroom:acr:2')
    expect(isStrongest(APP, { types: ['passkey', 'totp'], accepted })).toBe(true)
  })

  test('is asked for where there is nothing else: a password alone does not replace it', () => {
    const person = { types: ['password', 'passkey'], accepted }
    expect(strongestClass(person)).toBe('urn:anteroom:acr:1')
    expect(isStrongest(PASSWORD, person)).toBe(false)
    expect(isStrongest(TOUCHED, person)).toBe(true)
  })
})

test('a session that tells nothing is good for nothing but what anybody may do', () => {
  expect(isStrongest({}, own('totp'))).toBe(false)
  expect(isStrongest({ acr: 'urn:mallory:gold' }, own('totp'))).toBe(false)
  expect(isStrongest({}, own())).toBe(true)
})

describe('under every policy, whoever is sent to prove who they are', () => {
  const { password, mailedCode, passkey, touchedKey, totp, recoveryCode } = PROOFS
  const doors: Proof[] = [password, mailedCode, passkey]
  const ours = [...doors, touchedKey, totp, recoveryCode]
  const sessions = PROOF_SETS.filter(
    (set) => set.every((proof) => ours.includes(proof)) && set.some((proof) => doors.includes(proof)),
  )
  type Stage = { proofs: Proof[]; enrolled: readonly SecondFactor[]; policy: Factors }

  const ownOf = ({ enrolled, policy }: Stage) => ({ types: enrolled, accepted: policy.accepted })

  /** As the account asks, of a session that is young enough: nobody is asked who they are again. */
  const stepOf = ({ proofs, enrolled, policy }: Stage) => {
    const wish = strongestClass(ownOf({ proofs, enrolled, policy }))
    const request: SignIn['request'] = {
      voluntary: wish ? [wish] : [],
      essential: null,
      requiresSecondFactor: false,
      since: 0,
    }
    const person = { isAdministrator: false, enrolled }
    return nextStep({ proofs, person, isTrustedDevice: true, request, policy })
  }

  /** All that can be brought and set up from here on, a passkey as one whose touch is all there is. */
  function after(stage: Stage): Stage[] {
    const { proofs, enrolled } = stage
    const step = stepOf(stage)
    if (step.step === 'prove' && step.which === 'second') {
      const brought = step.methods.map(
        (id) => ({ passkey: touchedKey, totp, 'recovery-codes': recoveryCode })[id],
      )
      return brought.map((proof) => ({ ...stage, proofs: [...proofs, proof] }))
    }
    const added = step.step === 'enrol' ? step.methods : []
    const shown = (id: SecondFactor): Proof[] => (id === 'totp' ? [totp] : [])
    return added.map((id) => ({ ...stage, enrolled: [...enrolled, id], proofs: [...proofs, ...shown(id)] }))
  }

  function arrives(stage: Stage, most = 4): boolean {
    const step = stepOf(stage)
    if (step.step === 'done') return isStrongest(step, ownOf(stage))
    const next = after(stage)
    return most > 0 && next.length > 0 && next.every((each) => arrives(each, most - 1))
  }

  test('arrives, also with a session from before the policy changed', () => {
    const stuck: unknown[] = []
    for (const policy of POLICIES)
      for (const enrolled of FACTOR_SETS)
        for (const proofs of sessions)
          for (const counted of FACTOR_SETS) {
            const { amr, acr } = combine(proofs, counted)
            const held = { amr, acr: acr ?? '' }
            const stage = { proofs: proofsOf(amr), enrolled, policy }
            if (isStrongest(held, ownOf(stage))) continue
            const isSentBack = stepOf(stage).step === 'done'
            if (isSentBack || !arrives(stage)) stuck.push({ ...stage, held })
          }
    expect(stuck.slice(0, 1)).toEqual([])
  })
})

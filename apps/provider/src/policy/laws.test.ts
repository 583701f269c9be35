// What holds for every sign-in there is.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  areTwo,
  FACTOR_SETS,
  NOW,
  PROOF_SETS,
  PROOFS,
  type Situation,
  sequences,
  situations,
} from '../../test/support/sign-ins.ts'
import { PRESETS, type SecondFactor } from '../config/factors.ts'
import { type NextStep, nextStep, type SignIn } from './next-step.ts'
import { ACRS, type Proof } from './strength.ts'

const SITUATIONS = situations()
const anySituation = fc.constantFrom(...SITUATIONS)
const anyProofs = fc.constantFrom(...PROOF_SETS)
const anyProof = fc.constantFrom(...Object.values(PROOFS))
const anyFactor = fc.constantFrom<SecondFactor>('passkey', 'totp', 'recovery-codes')
const RUNS = { numRuns: 20_000 }

const level = (step: NextStep) => (step.step === 'done' ? ACRS.indexOf(step.acr) : -1)

test('neither the order of the proofs nor one that is brought again changes anything', () => {
  const some = SITUATIONS.filter((_, index) => index % 997 === 0)
  const wrong = [...sequences()].flatMap((proofs) => {
    const sorted = Object.values(PROOFS).filter((proof) => proofs.includes(proof))
    const isSame = (situation: Situation) =>
      JSON.stringify(nextStep({ ...situation, proofs })) ===
      JSON.stringify(nextStep({ ...situation, proofs: sorted }))
    return some.every(isSame) ? [] : [proofs]
  })
  expect(wrong.slice(0, 1)).toEqual([])
}, 300_000)

test('one proof more never weakens a sign-in', () => {
  fc.assert(
    fc.property(anySituation, anyProofs, anyProof, (situation, proofs, more) => {
      const [before, after] = [proofs, [...proofs, more]].map((brought) =>
        nextStep({ ...situation, proofs: brought }),
      )
      expect(level(after!)).toBeGreaterThanOrEqual(level(before!))
    }),
    RUNS,
  )
})

test('one factor more never lets in whom it did not let in before, nor with less', () => {
  fc.assert(
    fc.property(anySituation, anyProofs, anyFactor, (situation, proofs, factor) => {
      fc.pre(!proofs.some(({ method }) => method === factor))
      const before = nextStep({ ...situation, proofs })
      const enrolled = [...new Set([...situation.person.enrolled, factor])]
      // What changes a person's factors ends every device's trust.
      const after = nextStep({
        ...situation,
        proofs,
        person: { ...situation.person, enrolled },
        isTrustedDevice: false,
      })
      if (after.step === 'done') expect(level(after)).toBe(level(before))
    }),
    RUNS,
  )
})

test('nobody enrols a second factor before they have brought the one they have', () => {
  fc.assert(
    fc.property(anySituation, anyProofs, (situation, proofs) => {
      const { enrolled } = situation.person
      const isAskedToEnrol = nextStep({ ...situation, proofs }).step === 'enrol'
      const counted = [...situation.policy.accepted, ...enrolled]
      if (isAskedToEnrol && enrolled.length) expect(areTwo(proofs, counted)).toBe(true)
    }),
    RUNS,
  )
})

describe('a preset', () => {
  test.each([
    ['strict', 'balanced'],
    ['balanced', 'relaxed'],
    ['nist', 'balanced'],
  ] as const)('%s never lets in whom %s does not', (strict, lax) => {
    const wrong: unknown[] = []
    for (const situation of situations([PRESETS[strict]]))
      for (const proofs of PROOF_SETS) {
        const signIn = { ...situation, proofs }
        const [said, granted] = [nextStep(signIn), nextStep({ ...signIn, policy: PRESETS[lax] })]
        if (said.step === 'done' && level(granted) !== level(said)) wrong.push(signIn)
      }
    expect(wrong.slice(0, 1)).toEqual([])
  })

  // What is asked voluntarily is asked of whoever can bring it: who can bring more is asked for more.
  const unasked = SITUATIONS.filter(({ request }) => request.voluntary.length === 0)
  test('that accepts less never lets in whom one that accepts more does not', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...unasked),
        anyProofs,
        fc.constantFrom(...FACTOR_SETS),
        (situation, proofs, more) => {
          const narrow = nextStep({ ...situation, proofs })
          const accepted = [...new Set([...situation.policy.accepted, ...more])]
          const wide = nextStep({ ...situation, proofs, policy: { ...situation.policy, accepted } })
          if (narrow.step === 'done') expect(level(wide)).toBeGreaterThanOrEqual(level(narrow))
        },
      ),
      RUNS,
    )
  })
})

describe('a trusted device', () => {
  const answers = (situation: Situation, proofs: Proof[]) =>
    [true, false].map((isTrustedDevice) => nextStep({ ...situation, proofs, isTrustedDevice }))

  test('never stands in where more than a sign-in is asked for', () => {
    const demanding = SITUATIONS.filter(
      ({ person, request }) =>
        person.isAdministrator ||
        request.requiresSecondFactor ||
        (request.essential && !request.essential.includes('urn:anteroom:acr:1')),
    )
    fc.assert(
      fc.property(fc.constantFrom(...demanding), anyProofs, (situation, proofs) => {
        const [trusted, strange] = answers(situation, proofs)
        expect(trusted).toEqual(strange)
      }),
      RUNS,
    )
  })

  test('never stands in where the request asks for a fresh proof', () => {
    fc.assert(
      fc.property(anySituation, anyProofs, (situation, proofs) => {
        const [trusted, strange] = answers(
          { ...situation, request: { ...situation.request, since: NOW } },
          proofs,
        )
        expect(trusted).toEqual(strange)
      }),
      RUNS,
    )
  })

  test('adds nothing to what is claimed, and is nothing where the policy has none', () => {
    fc.assert(
      fc.property(anySituation, anyProofs, (situation, proofs) => {
        const [trusted, strange] = answers(situation, proofs)
        if (strange?.step === 'done' || situation.policy.trusted_device === 0)
          expect(trusted).toEqual(strange)
        if (trusted?.step === 'done' && strange?.step !== 'done') expect(trusted.amr).not.toContain('mfa')
      }),
      RUNS,
    )
  })
})

test('proofs that are too old are as good as none', () => {
  fc.assert(
    fc.property(anySituation, anyProofs, anyProofs, (situation, proofs, old) => {
      const fresh = { ...situation, request: { ...situation.request, since: NOW } }
      const stale = old.map((proof) => ({ ...proof, at: NOW - 1 }))
      expect(nextStep({ ...fresh, proofs: [...stale, ...proofs] })).toEqual(nextStep({ ...fresh, proofs }))
    }),
    RUNS,
  )
})

test('whoever does as they are told is signed in or told no, in four steps at most', () => {
  fc.assert(
    fc.property(anySituation, anyProofs, fc.nat(), (situation, proofs, choice) => {
      expect(ending({ ...situation, proofs }, choice)).toMatch(/^(done|refuse)$/)
    }),
    RUNS,
  )
})

function ending(signIn: SignIn, choice: number, steps = 4): string {
  const next = nextStep(signIn)
  if (next.step === 'done' || next.step === 'refuse' || steps === 0) return next.step
  if (next.step === 'prove' && next.which === 'first')
    return ending({ ...signIn, proofs: [...signIn.proofs, PROOFS.password] }, choice, steps - 1)
  const method = next.methods[choice % next.methods.length]
  const best = [PROOFS.passkey, PROOFS.totp, PROOFS.recoveryCode].find((proof) => proof.method === method)
  if (!method || !best) return 'nothing to choose from'
  const enrolled = [...new Set([...signIn.person.enrolled, method])]
  const person = { ...signIn.person, enrolled }
  return ending({ ...signIn, person, proofs: [...signIn.proofs, best] }, choice, steps - 1)
}

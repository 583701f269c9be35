import { expect, test } from 'vitest'
import { NOW, PROOFS } from '../../test/support/sign-ins.ts'
import { PRESETS } from '../config/factors.ts'
import { DAY, HOUR } from '../lib/clock.ts'
import { nextStep, type SignIn } from './next-step.ts'

const { password, trustedUpstream, passkey, totp, recoveryCode } = PROOFS

type Change = Partial<Omit<SignIn, 'request'>> & { request?: Partial<SignIn['request']> }
const step = ({ request, ...change }: Change) =>
  nextStep({
    proofs: [password],
    person: { isAdministrator: false, enrolled: [] },
    isTrustedDevice: false,
    policy: PRESETS.balanced,
    ...change,
    request: { voluntary: [], essential: null, requiresSecondFactor: false, since: null, ...request },
  })
const prove = (...methods: string[]) => ({ step: 'prove', which: 'second', methods })
const withFactors = (...enrolled: SignIn['person']['enrolled']) => ({ isAdministrator: false, enrolled })
const administrator = { isAdministrator: true, enrolled: [] }

test('an administrator without a second factor enrols one, other people need none', () => {
  expect(step({ person: administrator })).toEqual({ step: 'enrol', methods: ['passkey', 'totp'] })
  expect(step({})).toEqual({ step: 'done', amr: ['pwd'], acr: 'urn:anteroom:acr:1', authTime: NOW })
})

test('whoever has a second factor is asked for it, the strongest first', () =>
  expect(step({ person: withFactors('recovery-codes', 'totp', 'passkey') })).toEqual(
    prove('passkey', 'totp', 'recovery-codes'),
  ))

test('the last recovery code lets in, though it is gone by then', () =>
  expect(step({ person: withFactors('totp'), proofs: [password, recoveryCode] })).toMatchObject({
    step: 'done',
    acr: 'urn:anteroom:acr:2',
  }))

test('who was signed in all along is asked for the second factor alone, and the time is that of the last proof', () => {
  const earlier = { ...password, at: NOW - HOUR }
  const request = { essential: ['urn:anteroom:acr:2'] }
  expect(step({ person: withFactors('totp'), proofs: [earlier], request })).toEqual(prove('totp'))
  expect(step({ person: withFactors('totp'), proofs: [earlier, totp], request })).toMatchObject({
    authTime: NOW,
  })
})

test('who is to prove it again begins again', () =>
  expect(step({ request: { since: NOW + 1 } })).toEqual({ step: 'prove', which: 'first', methods: [] }))

test('a factor that counts no more is asked for, and then another is enrolled', () => {
  const strict = {
    policy: { ...PRESETS.strict, accepted: ['passkey' as const] },
    person: withFactors('totp', 'recovery-codes'),
  }
  expect(step(strict)).toEqual(prove('totp'))
  expect(step({ ...strict, proofs: [password, totp] })).toEqual({ step: 'enrol', methods: ['passkey'] })
  expect(step({ ...strict, proofs: [password, totp, passkey] })).toMatchObject({ step: 'done', acr: 'phr' })
})

test('a wish makes nobody enrol, a demand that is out of reach is refused', () => {
  expect(step({ request: { voluntary: ['phr'] } })).toMatchObject({ step: 'done' })
  expect(step({ request: { essential: ['phr'] } })).toEqual({
    step: 'refuse',
    reason: 'essential_acr_out_of_reach',
  })
  const person = administrator
  expect(step({ person, proofs: [trustedUpstream], request: { voluntary: ['phr'] } })).toMatchObject({
    step: 'done',
  })
  expect(step({ person, request: { essential: ['phr'] } })).toEqual({ step: 'enrol', methods: ['passkey'] })
})

test('a trusted device stands in for a person’s own factor, and claims nothing', () => {
  const trusting = { ...PRESETS.strict, trusted_device: 30 * DAY }
  const known = { policy: trusting, isTrustedDevice: true }
  expect(step({ ...known, person: withFactors('totp') })).toMatchObject({
    step: 'done',
    acr: 'urn:anteroom:acr:1',
    amr: ['pwd'],
  })
  expect(step(known)).toMatchObject({ step: 'enrol' })
  expect(step({ ...known, person: { isAdministrator: true, enrolled: ['totp'] } })).toEqual(prove('totp'))
})

test('a wish for the strongest is met by a recovery code where the rest is lost, a demand is not', () => {
  const person = withFactors('passkey', 'totp', 'recovery-codes')
  const wish = { voluntary: ['phr'] }
  expect(step({ person, request: wish })).toEqual(prove('passkey', 'recovery-codes'))
  expect(step({ person, request: wish, proofs: [password, totp] })).toEqual(
    prove('passkey', 'recovery-codes'),
  )
  expect(step({ person, request: wish, proofs: [password, recoveryCode] })).toMatchObject({
    step: 'done',
    acr: 'urn:anteroom:acr:2',
  })
  expect(step({ person, request: { essential: ['phr'] } })).toEqual(prove('passkey'))
  expect(step({ person, request: { essential: ['phr'] }, proofs: [password, recoveryCode] })).toEqual(
    prove('passkey'),
  )
})

test('a key that verifies nobody is wished for once, and not again and again', () =>
  expect(
    step({
      person: withFactors('passkey'),
      request: { voluntary: ['phr'] },
      proofs: [password, PROOFS.touchedKey],
    }),
  ).toMatchObject({ step: 'done', acr: 'urn:anteroom:acr:2' }))

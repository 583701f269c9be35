import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FACTOR_SETS, NOW, PROOFS, sequences } from '../../test/support/sign-ins.ts'
import { SECOND_FACTORS } from '../config/factors.ts'
import { AMR } from '../lib/amr.ts'
import { ACRS, combine, type Kind, type Proof, reaches } from './strength.ts'

const { password, totp, recoveryCode, passkey } = PROOFS

type Name = keyof typeof PROOFS
const combined = (names: string) =>
  combine(
    names.split(' + ').map((name) => PROOFS[name as Name]),
    SECOND_FACTORS,
  )

test.each([
  ['password', 'urn:anteroom:acr:1', 'pwd'],
  ['mailedCode', 'urn:anteroom:acr:1', 'otp'],
  ['upstream', 'urn:anteroom:acr:1', 'fed'],
  ['wallet', 'urn:anteroom:acr:1', 'swk'],
  ['trustedUpstream', 'urn:anteroom:acr:2', 'fed mfa'],
  ['passkey', 'phr', 'swk user mfa'],
  ['touchedKey', 'urn:anteroom:acr:1', 'hwk'],
  ['password + totp', 'urn:anteroom:acr:2', 'pwd otp mfa app'],
  ['mailedCode + totp', 'urn:anteroom:acr:2', 'otp mfa app'],
  ['mailedCode + recoveryCode', 'urn:anteroom:acr:2', 'otp mfa recovery'],
  ['upstream + totp', 'urn:anteroom:acr:2', 'fed otp mfa app'],
  ['wallet + totp', 'urn:anteroom:acr:2', 'swk otp mfa app'],
  ['password + passkey', 'phr', 'pwd swk user mfa'],
  ['password + touchedKey', 'urn:anteroom:acr:2', 'pwd hwk mfa'],
])('%s: %s, with the amr %s', (names, acr, amr) =>
  expect(combined(names)).toEqual({ acr, amr: amr.split(' ') }),
)

test.each([
  'mailedCode + mailedCode',
  'password + mailedCode',
  'password + upstream + wallet',
  'touchedKey + totp',
])('%s: one factor', (names) => expect(combined(names)).toMatchObject({ acr: 'urn:anteroom:acr:1' }))

test('a second factor alone says nothing about who it is', () =>
  expect([combine([], SECOND_FACTORS).acr, combine([totp, recoveryCode], SECOND_FACTORS).acr]).toEqual([
    null,
    null,
  ]))

test('what does not count makes no second factor, but for a verified passkey', () => {
  expect(combine([password, totp], ['passkey']).acr).toBe('urn:anteroom:acr:1')
  expect(combine([passkey], ['totp']).acr).toBe('phr')
})

test('the acr never claims more than the amr prove', () => {
  const wrong = [...sequences()].flatMap((proofs) =>
    FACTOR_SETS.filter((counted) => claimsTooMuch(proofs, counted)),
  )
  expect(wrong.slice(0, 1)).toEqual([])
})

test('not even where a method says what it cannot know', () => {
  const anyProof: fc.Arbitrary<Proof> = fc.record({
    method: fc.constantFrom('password', 'google', 'ethereum', 'email-code', ...SECOND_FACTORS),
    kind: fc.constantFrom<Kind>('knowledge', 'mailbox', 'upstream', 'wallet', 'possession'),
    amr: fc.subarray([...AMR]),
    at: fc.constant(NOW),
  })
  fc.assert(
    fc.property(
      fc.array(anyProof, { maxLength: 4 }),
      fc.subarray([...SECOND_FACTORS]),
      (proofs, counted) => !claimsTooMuch(proofs, counted),
    ),
    { numRuns: 20_000 },
  )
})

/** RFC 8176: `mfa` for two factors, `user` for a person a key has verified, `hwk` or `swk` for the key. */
function claimsTooMuch(proofs: Proof[], counted: Parameters<typeof combine>[1]): boolean {
  const { amr, acr } = combine(proofs, counted)
  const isKeyProved = amr.includes('hwk') || amr.includes('swk')
  if (acr === 'phr') return !(amr.includes('mfa') && amr.includes('user') && isKeyProved)
  if (acr === 'urn:anteroom:acr:2') return !amr.includes('mfa') || amr.includes('user')
  return acr !== null && amr.includes('mfa')
}

test('the classes are a ladder, and nobody stands on it who is not known', () => {
  expect(ACRS.map((acr) => ACRS.filter((wanted) => reaches(acr, wanted)).length)).toEqual([1, 2, 3])
  expect(reaches(null, ACRS[0])).toBe(false)
})

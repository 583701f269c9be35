import { expect, test } from 'vitest'
import { NOW, PROOFS } from '../../test/support/sign-ins.ts'
import { MINUTE, SECOND } from '../lib/clock.ts'
import { type FreshnessFacts, freshness } from './fresh.ts'
import type { Proof } from './strength.ts'

const { password, passkey, totp, recoveryCode } = PROOFS

const facts = (proofs: Proof[], more: Partial<FreshnessFacts> = {}): FreshnessFacts => ({
  accountId: 'alice',
  session: { accountId: 'alice', proofs },
  enrolled: [],
  waysIn: ['password', 'email-code'],
  now: NOW,
  within: 10 * MINUTE,
  ...more,
})
const aged = (proof: Proof, ms: number): Proof => ({ ...proof, at: NOW - ms })

test('who has no second factor has proved it again with any way in', () => {
  expect(freshness(facts([password]))).toBe('fresh')
  expect(freshness(facts([]))).toEqual({ ask: ['password', 'email-code'] })
})

test('who has one is asked for it, however fresh the password is', () => {
  const enrolled = { enrolled: ['recovery-codes', 'totp'] as const }
  expect(freshness(facts([password], enrolled))).toEqual({ ask: ['totp', 'recovery-codes'] })
  expect(freshness(facts([password, totp], enrolled))).toBe('fresh')
})

test('the strongest is asked for; a recovery code stands in for the one that is lost', () => {
  const enrolled = { enrolled: ['totp', 'recovery-codes', 'passkey'] as const }
  expect(freshness(facts([password, totp], enrolled))).toEqual({ ask: ['passkey', 'recovery-codes'] })
  expect(freshness(facts([passkey], enrolled))).toBe('fresh')
  expect(freshness(facts([password, recoveryCode], enrolled))).toBe('fresh')
})

test('a proof is fresh for as long as the policy says, and not a millisecond more', () => {
  expect(freshness(facts([aged(password, 10 * MINUTE)]))).toBe('fresh')
  expect(freshness(facts([aged(password, 10 * MINUTE + 1)]))).not.toBe('fresh')
})

test('a proof of the future is not fresh, but for clocks that are a little apart', () => {
  expect(freshness(facts([aged(password, -30 * SECOND)]))).toBe('fresh')
  expect(freshness(facts([aged(password, -31 * SECOND)]))).not.toBe('fresh')
  expect(freshness(facts([aged(password, Number.NaN)]))).not.toBe('fresh')
})

test('what somebody else proved in this browser is worth nothing', () =>
  expect(freshness(facts([], { session: { accountId: 'mallory', proofs: [password] } }))).not.toBe('fresh'))

test('what is old does not become fresh by what is young and weak', () =>
  expect(freshness(facts([aged(totp, 11 * MINUTE), password], { enrolled: ['totp'] }))).toEqual({
    ask: ['totp'],
  }))

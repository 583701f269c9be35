import { expect, test } from 'vitest'
import { SECOND_FACTORS, type SecondFactor } from '../config/factors.ts'
import { isStrongest, strongestClass } from './sensitive.ts'

const own = (...types: string[]) => ({ types: ['password', ...types], accepted: [...SECOND_FACTORS] })
const session = (acr: string, ...amr: string[]) => ({ acr, amr })

const PASSWORD = session('urn:anteroom:acr:1', 'pwd')
const APP = session('urn:anteroom:acr:2', 'pwd', 'otp', 'mfa')
const PASSKEY = session('phr', 'swk', 'user', 'mfa')
const TOUCHED = session('urn:anteroom:acr:2', 'pwd', 'hwk', 'mfa')
const PAPER = session('urn:anteroom:acr:2', 'pwd', 'otp', 'mfa', 'recovery')

test.each([
  ['nothing else', own(), [PASSWORD, APP, PASSKEY, TOUCHED, PAPER], 'urn:anteroom:acr:1'],
  ['an app', own('totp', 'recovery-codes'), [APP, PASSKEY, TOUCHED, PAPER], 'urn:anteroom:acr:2'],
  ['a passkey', own('passkey', 'recovery-codes'), [PASSKEY, TOUCHED, PAPER], 'phr'],
  ['both', own('totp', 'recovery-codes', 'passkey'), [PASSKEY, TOUCHED, PAPER], 'phr'],
])('who has %s is asked for the strongest; a recovery code stands in for it', (_, person, enough, wish) => {
  const all = [PASSWORD, APP, PASSKEY, TOUCHED, PAPER]
  expect(all.filter((held) => isStrongest(held, person))).toEqual(enough)
  expect(strongestClass(person)).toBe(wish)
})

test('what counts no more is not asked for here: who signs in could never bring it', () => {
  const accepted: SecondFactor[] = ['totp']
  expect(strongestClass({ types: ['passkey', 'totp'], accepted })).toBe('urn:anteroom:acr:2')
  expect(isStrongest(APP, { types: ['passkey', 'totp'], accepted })).toBe(true)
  expect(isStrongest(PASSWORD, { types: ['passkey'], accepted })).toBe(true)
})

test('a session that tells nothing is good for nothing but what anybody may do', () => {
  expect(isStrongest({}, own('totp'))).toBe(false)
  expect(isStrongest({ acr: 'urn:mallory:gold' }, own('totp'))).toBe(false)
  expect(isStrongest({}, own())).toBe(true)
})

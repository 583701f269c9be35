import { expect, test } from 'vitest'
import { PRESETS, type PresetName, type SecondFactor } from '../config/factors.ts'
import { lossOf } from './loss.ts'

const left = (ways: string[], enrolled: SecondFactor[], preset: PresetName, isAdministrator = false) =>
  lossOf({ ways, person: { isAdministrator, enrolled }, policy: PRESETS[preset] })

test('nobody gives up the last way in', () => {
  expect(left([], ['totp'], 'relaxed')).toBe('last_way_in')
  expect(left(['email-code'], [], 'relaxed')).toBe(null)
})

test.each([
  ['everyone', 'strict', false, 'required_factor'],
  ['administrators, of an administrator', 'balanced', true, 'required_factor'],
  ['administrators, of anybody else', 'balanced', false, null],
  ['nobody', 'relaxed', true, null],
] as const)('who has to have a second factor keeps one: %s', (_, preset, isAdministrator, loss) => {
  expect(left(['password'], [], preset, isAdministrator)).toBe(loss)
  expect(left(['password'], ['recovery-codes'], preset, isAdministrator)).toBe(loss)
  expect(left(['password'], ['totp'], preset, isAdministrator)).toBe(null)
})

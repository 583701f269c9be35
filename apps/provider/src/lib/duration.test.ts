import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDuration, seconds } from './duration.ts'

test.each([
  ['250ms', 250],
  ['30s', 30_000],
  ['10m', 600_000],
  ['12h', 43_200_000],
  ['30d', 2_592_000_000],
  ['0s', 0],
])('%s is %i milliseconds', (text, ms) => expect(parseDuration(text)).toBe(ms))

test.each([
  '',
  '10',
  'm',
  '10 m',
  '-1m',
  '1.5h',
  '1e3s',
  '10M',
  '10min',
  '1h30m',
  '0x10s',
  '9999999999s',
  '１０s',
  ' 1s',
  '1s\n',
])('%j is no duration', (text) => expect(parseDuration(text)).toBeNull())

test('any number in any unit is that many of it', () => {
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  fc.assert(
    fc.property(fc.nat(10 ** 9 - 1), fc.constantFrom(...Object.entries(units)), (amount, [unit, size]) => {
      expect(parseDuration(`${amount}${unit}`)).toBe(amount * size)
    }),
  )
})

test('the protocol is never told a lifetime below a second', () => {
  expect([0, 1, 999, 1000, 1999, 600_000].map(seconds)).toEqual([1, 1, 1, 1, 1, 600])
})

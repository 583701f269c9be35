import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCode, inGroups, readCode } from './code.ts'

test('T050: a code has 24 characters of 32, each as likely as any other', () => {
  const codes = Array.from({ length: 500 }, createCode)
  expect(new Set(codes).size).toBe(500)
  const seen = new Map<string, number>()
  for (const symbol of codes.join('')) seen.set(symbol, (seen.get(symbol) ?? 0) + 1)
  expect([...seen.keys()].sort().join('')).toBe('0123456789ABCDEFGHJKMNPQRSTVWXYZ')
  // 12 000 symbols, 375 of each: seven standard deviations of a binomial count.
  for (const count of seen.values()) expect(Math.abs(count - 375)).toBeLessThan(7 * 19.1)
})

test('a code stands on paper in four groups of six', () => {
  expect(inGroups('0123456789ABCDEFGHJKMNPQ')).toBe('012345-6789AB-CDEFGH-JKMNPQ')
})

test('a code is read whatever its case, blanks, dashes and look-alikes', () => {
  const symbol = (one: string) => {
    const alike = { '0': ['O', 'o'], '1': ['I', 'i', 'L', 'l'] }[one] ?? []
    return fc.constantFrom(one, one.toLowerCase(), ...alike)
  }
  const gap = fc.constantFrom('', '', ' ', '-', '–', '\u00a0', '\n')
  const typing = fc.constant(null).chain(() => {
    const code = createCode()
    const parts = [...code].map((one) => fc.tuple(gap, symbol(one)).map(([blank, typed]) => blank + typed))
    return fc.tuple(...parts).map((typed) => ({ code, typed: typed.join('') }))
  })
  fc.assert(fc.property(typing, ({ code, typed }) => readCode(typed) === code))
})

test.each([
  '',
  '1',
  '0123456789ABCDEFGHJKMNP',
  '0123456789ABCDEFGHJKMNPQR',
  '0123456789ABCDEFGHJKMNPU',
  '0123456789ABCDEFGHJKMNP_',
  '０123456789ABCDEFGHJKMNPQ',
  '0123456789ABCDEFGHJKMNPß',
])('%j is none', (typed) => expect(readCode(typed)).toBeNull())

test('nothing that is read is anything but a code', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (typed) => {
      const code = readCode(typed)
      expect(code === null || /^[0-9A-HJKMNP-TV-Z]{24}$/.test(code)).toBe(true)
    }),
  )
})

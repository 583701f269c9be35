import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createId, randomToken } from './ids.ts'

const LAST_DAY = Date.UTC(9999, 11, 31)
const moment = fc.date({ min: new Date(0), max: new Date(LAST_DAY), noInvalidDate: true })

test('an id is its prefix over a UUIDv7 (RFC 9562, section 5.7) that tells when it was made', () => {
  fc.assert(
    fc.property(moment, (now) => {
      const id = createId('usr', now)
      expect(id).toMatch(/^usr_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
      expect(Number.parseInt(id.slice(4, 16), 16)).toBe(now.getTime())
    }),
  )
})

test('ids sort by age', () => {
  fc.assert(
    fc.property(moment, moment, (a, b) => {
      fc.pre(a < b)
      expect(createId('evt', a) < createId('evt', b)).toBe(true)
    }),
  )
})

test('ids made in the same moment differ', () => {
  const now = new Date()
  expect(new Set(Array.from({ length: 1000 }, () => createId('key', now))).size).toBe(1000)
})

test('a random token is 256 bits that no other has', () => {
  const tokens = Array.from({ length: 1000 }, randomToken)
  for (const token of tokens) expect(Buffer.from(token, 'base64url')).toHaveLength(32)
  expect(tokens[0]).toMatch(/^[\w-]{43}$/)
  expect(new Set(tokens).size).toBe(1000)
})

test('ids made in turn within one millisecond sort in turn', () => {
  const ids = Array.from({ length: 1000 }, () => createId('evt', new Date(1_700_000_000_000)))
  expect(ids.toSorted()).toEqual(ids)
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeOf, judgeCode, readCode, stepOf } from './code.ts'

/** `12345678901234567890`, the seed of RFC 6238, appendix B, in base32. */
const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const at = (seconds: number) => new Date(seconds * 1000)
const NONE_USED = 0
const STEP = 57_000_000

const judge = (code: string, used = NONE_USED, step = STEP) =>
  judgeCode(code, { secret: SECRET, used }, at(step * 30))

test.each([
  [59, '94287082'],
  [1111111109, '07081804'],
  [1111111111, '14050471'],
  [1234567890, '89005924'],
  [2000000000, '69279037'],
  [20000000000, '65353130'],
])('RFC 6238, appendix B: at %d seconds the code ends %s', (seconds, eightDigits) => {
  const code = eightDigits.slice(-6)
  expect(codeOf(SECRET, stepOf(at(seconds)))).toBe(code)
  expect(judgeCode(code, { secret: SECRET, used: NONE_USED }, at(seconds))).toEqual({
    ok: true,
    step: stepOf(at(seconds)),
  })
})

describe('T044: a code', () => {
  test('is right one step early and one step late, and not two', () => {
    for (const drift of [-1, 0, 1])
      expect(judge(codeOf(SECRET, STEP + drift))).toEqual({ ok: true, step: STEP + drift })
    for (const drift of [-3, -2, 2, 3])
      expect(judge(codeOf(SECRET, STEP + drift))).toEqual({ ok: false, reason: 'wrong' })
  })

  test('belongs to its step from its first millisecond to its last', () => {
    expect(stepOf(new Date(STEP * 30_000 - 1))).toBe(STEP - 1)
    expect(stepOf(new Date(STEP * 30_000))).toBe(STEP)
    expect(stepOf(new Date(STEP * 30_000 + 29_999))).toBe(STEP)
  })

  test('of a used step is a replay, and so is one of a step before', () => {
    expect(judge(codeOf(SECRET, STEP), STEP)).toEqual({ ok: false, reason: 'replayed' })
    expect(judge(codeOf(SECRET, STEP - 1), STEP)).toEqual({ ok: false, reason: 'replayed' })
    expect(judge(codeOf(SECRET, STEP + 1), STEP)).toEqual({ ok: true, step: STEP + 1 })
  })

  test.each([
    '',
    '1',
    '12345',
    '1234567',
    '１２３４５６',
    '0x1234',
    '12345a',
    '-12345',
    '1e5',
    '١٢٣٤٥٦',
    '12.456',
  ])('is not what reads %j', (typed) => expect(readCode(typed)).toBeNull())

  test('may be typed with blanks and dashes', () => {
    expect(['123456', ' 123 456 ', '123-456', '12–34—56', '123\u00a0456'].map(readCode)).toEqual(
      Array(5).fill('123456'),
    )
  })

  test('is right exactly in a window of three steps that are not used, whatever the clock says', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 35 }),
        fc.integer({ min: -4, max: 4 }),
        fc.integer({ min: -4, max: 4 }),
        (step, drift, usedAgo) => {
          const code = codeOf(SECRET, Math.max(0, step + drift))
          const used = step - usedAgo
          const judged = judge(code, used, step)
          // Another step of the window may have the same six digits.
          if (judged.ok) {
            expect(Math.abs(judged.step - step)).toBeLessThanOrEqual(1)
            expect(judged.step).toBeGreaterThan(used)
            expect(codeOf(SECRET, judged.step)).toBe(code)
          } else expect(Math.abs(drift) > 1 || step + drift <= used).toBe(true)
        },
      ),
    )
  })

  test('of six digits that are no code of the window is wrong', () => {
    const right = [-1, 0, 1].map((drift) => codeOf(SECRET, STEP + drift))
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999 }), (number) => {
        const code = String(number).padStart(6, '0')
        expect(judge(code).ok).toBe(right.includes(code))
      }),
    )
  })
})

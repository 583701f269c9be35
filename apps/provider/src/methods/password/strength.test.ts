import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isOverlong, judgePassword, normalizePassword } from './strength.ts'

const RULES = { minLength: 10, minStrength: 3 }
const ABOUT = ['ada.lovelace@example.test', 'ada.lovelace', 'Ada Lovelace', 'Anteroom']
const judge = (password: string, rules = RULES) => judgePassword(normalizePassword(password), rules, ABOUT)

/** All 95 printable characters of ASCII, as far from their order as can be. */
const everyCharacter = Array.from({ length: 95 }, (_, index) =>
  String.fromCharCode(32 + ((index * 37) % 95)),
).join('')

describe('T010: a password is accepted', () => {
  test.each([
    ['R001: at the shortest length, when it is hard to guess', 'vT9#qL2!xw'],
    ['R002: with 64 characters', 'plum tricycle seldom vanish orbit gravel mosquito velvet k7 dune'],
    ['R002: with 128 characters', 'correct-umbrella-gravel-orbit-'.repeat(5).slice(0, 128)],
    ['R003: with spaces', 'seven orange umbrellas at noon'],
    ['R003: with every printable ASCII character', everyCharacter],
    ['R003: in any script', 'семь зонтов в полдень'],
    ['R003: of emoji, each one character', '🦔🪐🧂🛶🎻🦑🧵🪁🫖🦩'],
    ['R004: all in lower case', 'plumtricycleseldomvanish'],
    ['R004: of digits alone', '83920175640291837465'],
  ])('%s', (_, password) => expect(judge(password)).toBeNull())
})

describe('T010: a password is refused, and the person told why,', () => {
  test.each([
    ['when there is none', '', 'Enter a password'],
    ['R001: below the shortest length', 'vT9#qL2!x', 'at least 10'],
    ['R002: above 128 characters', 'seven orange umbrellas at noon '.repeat(5), 'at most 128'],
    ['R003: when nine emoji only look long to a machine', '🦔🪐🧂🛶🎻🦑🧵🪁🫖', 'at least 10'],
    ['R009: when everybody uses it', 'password123', 'easy to guess'],
    ['R009: when it is a row of keys', 'qwertyuiop', 'easy to guess'],
    ['R009: when it is one character again and again', 'aaaaaaaaaaaaaaa', 'easy to guess'],
    ['R009: when it is a common one in leetspeak', 'P@ssw0rd123', 'easy to guess'],
    ['R009: when it is a date', '1990-12-24', 'easy to guess'],
    ['R009: when it is the service’s name', 'anteroom2026', 'easy to guess'],
    ['R009: when it is the person’s own address', 'ada.lovelace@example.test', 'easy to guess'],
    ['R009: when it is the person’s own name', 'Ada Lovelace', 'easy to guess'],
    ['R009: when it is the part of the address before the @', 'ada.lovelace', 'easy to guess'],
  ])('%s', (_, password, reason) => expect(judge(password)).toContain(reason))
})

test('an operator may ask for more, or for length alone', () => {
  expect(judge('vT9#qL2!xw', { minLength: 15, minStrength: 3 })).toContain('at least 15')
  expect(judge('password123', { minLength: 10, minStrength: 0 })).toBeNull()
})

describe('T011: the same characters typed on another keyboard', () => {
  test('are the same password', () => {
    expect(normalizePassword('cafe\u0301 au lait')).toBe(normalizePassword('caf\u00e9 au lait'))
  })

  test('are another password when they only look alike (NFKC)', () => {
    expect(normalizePassword('ﬁve pﬂaumen')).not.toBe(normalizePassword('five pflaumen'))
    expect(normalizePassword('ｐａｓｓ')).not.toBe(normalizePassword('pass'))
  })

  test('normalising twice changes nothing more', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (typed) => {
        expect(normalizePassword(normalizePassword(typed))).toBe(normalizePassword(typed))
      }),
    )
  })
})

test('T012: overlong is more than 128 code points, whatever they weigh', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'é', '漢', '🦔'), { minLength: 100, maxLength: 160 }),
      (characters) => {
        expect(isOverlong(characters.join(''))).toBe(characters.length > 128)
      },
    ),
  )
})

/** Of this process, in milliseconds: unlike the clock it does not count what else the machine is doing. */
function cpuTime(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

test('T143: no password, however malicious, holds up the others', () => {
  const patterns = ['a', 'ab', '4@8({[<3', 'p4$$w0rd', '1a2b', '€1!|0$5+79', everyCharacter]
  for (const pattern of patterns) {
    const password = [...pattern.repeat(128)].slice(0, 128).join('')
    expect(
      cpuTime(() => judge(password)),
      pattern,
    ).toBeLessThan(400)
  }
  const about = ['4@8({[<3'.repeat(128), '€1!|0$5+79'.repeat(100)]
  expect(cpuTime(() => judgePassword(about[1]!.slice(0, 128), RULES, about))).toBeLessThan(400)
})

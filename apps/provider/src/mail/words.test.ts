import { expect, test } from 'vitest'
import { DAY, HOUR, MINUTE } from '../lib/clock.ts'
import { durationInWords, oneLine, timeInWords } from './words.ts'

test('a time is told in words, in UTC, midnight included', () => {
  expect(timeInWords(new Date('2026-11-22T00:04:00Z'))).toBe('Sunday 22 November 2026 at 00:04 UTC')
})

test.each([
  [10 * MINUTE, '10 minutes'],
  [HOUR, '1 hour'],
  [90 * MINUTE, '90 minutes'],
  [7 * DAY, '7 days'],
  [MINUTE, '1 minute'],
  [1500, '1 second'],
  [0, '1 second'],
])('%d ms are %s', (ms, words) => expect(durationInWords(ms)).toBe(words))

test.each([
  ['Tea\r\n\r\n& Sons', 'Tea & Sons'],
  ['\u202egnp\u200b', 'gnp'],
  ['see https://evil.example', 'see evil.example'],
  ['x'.repeat(500), 'x'.repeat(100)],
])('%j becomes one line of text', (text, line) => expect(oneLine(text)).toBe(line))

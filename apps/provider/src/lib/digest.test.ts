import { createSecretKey } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { digest, mac, sameSecret } from './digest.ts'

const key = createSecretKey(Buffer.alloc(32, 7))
const text = fc.string({ unit: 'binary', maxLength: 12 })

test('a digest is SHA-256, base64url', () => {
  expect(digest('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0')
})

test('no part of a MAC runs into the next', () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), fc.array(text, { maxLength: 4 }), (a, b) => {
      const same = JSON.stringify(a) === JSON.stringify(b)
      expect(mac(key, ...a) === mac(key, ...b)).toBe(same)
    }),
    {
      examples: [
        [
          ['ab', 'c'],
          ['a', 'bc'],
        ],
        [['1:a'], ['', 'a']],
        [['a'], ['a', '']],
      ],
    },
  )
})

test('a MAC under another key is another', () => {
  expect(mac(key, 'a')).not.toBe(mac(createSecretKey(Buffer.alloc(32, 8)), 'a'))
})

test('secrets are the same only when all of them is, whatever their lengths', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(sameSecret(a, b)).toBe(a === b)
    }),
  )
  expect(sameSecret('secret', 'secret')).toBe(true)
})

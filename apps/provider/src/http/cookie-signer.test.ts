import { expect, test } from 'vitest'
import { createCookieSigner } from './cookie-signer.ts'

test('the first key signs; each of them verifies, and only what it signed', () => {
  const old = createCookieSigner(['old'])
  const both = createCookieSigner(['new', 'old'])
  expect(both.index('a=1', both.sign('a=1'))).toBe(0)
  expect(both.index('a=1', old.sign('a=1'))).toBe(1)
  expect(both.verify('a=1', old.sign('a=1'))).toBe(true)
  expect(old.index('a=1', both.sign('a=1'))).toBe(-1)
})

test.each(['', 'x', 'é'.repeat(43), 'A'.repeat(43)])('no signature is no error (%j)', (signature) => {
  const signer = createCookieSigner(['key'])
  expect(signer.index('a=1', signature)).toBe(-1)
  expect(signer.verify('a=2', signer.sign('a=1'))).toBe(false)
})

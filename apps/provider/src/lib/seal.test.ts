import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSealer, hkdf, openWith, type Sealer, sealWith } from './seal.ts'

const [older, newer, foreign] = [randomBytes(32), randomBytes(32), randomBytes(32)]
const sealer = createSealer([newer])
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const row = fc.string({ unit: 'binary', maxLength: 40 })

describe('a sealed secret', () => {
  test('opens in its own row, whatever it is', () => {
    fc.assert(
      fc.property(bytes, row, (secret, name) => {
        expect(sealer.open(sealer.seal(secret, name), name)).toEqual(secret)
      }),
    )
  })

  test('opens in no other row', () => {
    fc.assert(
      fc.property(bytes, row, row, (secret, name, other) => {
        fc.pre(Buffer.from(name).compare(Buffer.from(other)) !== 0)
        expect(() => sealer.open(sealer.seal(secret, name), other)).toThrow()
      }),
    )
  })

  test('opens no more when a single bit of it was turned', () => {
    const sealed = sealer.seal('a private key', 'row')
    fc.assert(
      fc.property(fc.nat(sealed.length * 8 - 1), (bit) => {
        const bent = Buffer.from(sealed)
        bent[bit >> 3] = bent[bit >> 3]! ^ (1 << (bit & 7))
        expect(() => sealer.open(bent, 'row')).toThrow()
      }),
    )
  })

  test('opens no more when it was cut short', () => {
    const sealed = sealer.seal('a private key', 'row')
    for (let length = 0; length < sealed.length; length++) {
      expect(() => sealer.open(sealed.subarray(0, length), 'row')).toThrow()
    }
  })

  test('is never the same twice and does not show what is in it', () => {
    const [one, two] = [sealer.seal('a private key', 'row'), sealer.seal('a private key', 'row')]
    expect(one).not.toEqual(two)
    expect(one.includes('private')).toBe(false)
  })

  test('travels as any bytes the database hands out', () => {
    const sealed = sealer.seal('a private key', 'row')
    expect(sealer.open(new Uint8Array(sealed), 'row').toString()).toBe('a private key')
  })
})

describe('an operator who rotates SECRET_KEY', () => {
  const before = createSealer([older])
  const during = createSealer([newer, older])

  test('still opens what the older key sealed', () => {
    expect(during.open(before.seal('kept', 'row'), 'row').toString()).toBe('kept')
  })

  test('seals with the newest from now on', () => {
    expect(createSealer([newer]).open(during.seal('new', 'row'), 'row').toString()).toBe('new')
    expect(() => before.open(during.seal('new', 'row'), 'row')).toThrow('no longer holds')
  })

  test('is told when a key was dropped too early', () => {
    expect(() => createSealer([foreign]).open(before.seal('kept', 'row'), 'row')).toThrow('SECRET_KEY')
  })

  test('cannot seal with no key at all', () => expect(() => createSealer([])).toThrow('at least one key'))
})

test('each purpose has a key of its own, the same after every start', () => {
  const bytes = (of: Sealer, purpose: string) => of.derive(purpose).export()
  expect(bytes(sealer, 'csrf')).toEqual(bytes(createSealer([newer, older]), 'csrf'))
  expect(bytes(sealer, 'csrf')).not.toEqual(bytes(sealer, 'other'))
  expect(bytes(sealer, 'csrf')).not.toEqual(bytes(createSealer([older]), 'csrf'))
  expect(bytes(sealer, 'csrf')).toHaveLength(32)
})

test('what is sealed under a key of the caller opens under that key alone', () => {
  const key = hkdf('a refresh token', 'successor')
  const sealed = sealWith(key, 'the next one', 'row')
  expect(openWith(key, sealed, 'row').toString()).toBe('the next one')
  expect(() => openWith(hkdf('another token', 'successor'), sealed, 'row')).toThrow()
})

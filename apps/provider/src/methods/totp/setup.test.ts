import { expect, test } from 'vitest'
import { createSetup } from './setup.ts'

const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const setUp = (service: string, email = 'ada@example.test') => createSetup(SECRET, { service, email })

test('an app is told who we are, whose account it is, and the key', () => {
  const link = new URL(setUp('Tea & Sons').link)
  expect(link.href).toMatch(/^otpauth:\/\/totp\//)
  expect(decodeURIComponent(link.pathname)).toBe('/Tea & Sons:ada@example.test')
  expect(Object.fromEntries(link.searchParams)).toEqual({ secret: SECRET, issuer: 'Tea & Sons' })
})

test('a colon in our name does not become part of somebody’s address', () => {
  const link = new URL(setUp('Tea: Sons').link)
  expect(decodeURIComponent(link.pathname).split(':')).toEqual(['/Tea  Sons', 'ada@example.test'])
})

test('nothing in an address becomes a parameter of the link', () => {
  const link = new URL(setUp('Tea', '"a?secret=b&issuer=c#d"@example.test').link)
  expect(Object.fromEntries(link.searchParams)).toEqual({ secret: SECRET, issuer: 'Tea' })
  expect(link.hash).toBe('')
})

test('the key can be read out in groups of four', () => {
  expect(setUp('Tea').key).toBe('GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ')
})

test('the picture is squares on a grid, with a light border of four', () => {
  const { size, path } = setUp('Tea').qr
  expect(path).toMatch(/^(M\d+ \d+h\d+v1h-\d+z)+$/)
  const runs = [...path.matchAll(/M(\d+) (\d+)h(\d+)/g)].map(([, x, y, length]) => [+x!, +y!, +length!])
  for (const [x, y, length] of runs as [number, number, number][]) {
    expect(Math.min(x, y)).toBeGreaterThanOrEqual(4)
    expect(Math.max(x + length, y + 1)).toBeLessThanOrEqual(size - 4)
  }
  // The first row of a finder pattern (ISO/IEC 18004, section 6.3.3).
  expect(runs[0]).toEqual([4, 4, 7])
})

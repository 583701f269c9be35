import { createSecretKey } from 'node:crypto'
import type { Context } from 'koa'
import { expect, test } from 'vitest'
import { createKnownBrowsers } from './known-browsers.ts'

const key = (byte: number) => createSecretKey(Buffer.alloc(32, byte))
const HTTPS = 'https://id.example.com'
const browsers = createKnownBrowsers(HTTPS, [key(1)])
const ADA = { id: 'usr_ada', generation: 3 }
const GRACE = { id: 'usr_grace', generation: 0 }

type Jar = { value: string | undefined; set: { name: string; options: object } | undefined }

/** A browser with one cookie, as much of it as Koa shows. */
function open(value?: string) {
  const jar: Jar = { value, set: undefined }
  const cookies = {
    get: () => jar.value,
    set(name: string, next: string, options: object) {
      jar.value = next
      jar.set = { name, options }
    },
  }
  return { jar, ctx: { cookies } as unknown as Context }
}

function openWith(...people: (typeof ADA)[]) {
  const browser = open()
  for (const person of people) browsers.remember(browser.ctx, person)
  return browser
}

test('a browser in which Ada signed in is known as hers, and as nobody else’s', () => {
  const { ctx } = openWith(ADA)
  expect(browsers.isKnown(ctx, ADA)).toBe(true)
  expect(browsers.isKnown(ctx, GRACE)).toBe(false)
  expect(browsers.idFor(ctx, ADA)).toMatch(/^[\w-]{43}$/)
  expect(browsers.idFor(ctx, GRACE)).toBeNull()
  expect(browsers.isKnown(open().ctx, ADA)).toBe(false)
})

test('any change of her credentials makes it a stranger', () => {
  const { ctx } = openWith(ADA)
  for (const generation of [4, 2, 33]) expect(browsers.isKnown(ctx, { ...ADA, generation })).toBe(false)
})

test('two people who share a browser are both known in it, under one name', () => {
  const { ctx, jar } = openWith(ADA, GRACE, ADA)
  expect(browsers.idFor(ctx, ADA)).toBe(browsers.idFor(ctx, GRACE))
  expect(jar.value!.split('.')).toHaveLength(3)
})

test('each browser has a name of its own', () => {
  expect(browsers.idFor(openWith(ADA).ctx, ADA)).not.toBe(browsers.idFor(openWith(ADA).ctx, ADA))
})

test('of nine people the one who has not been there for longest is forgotten', () => {
  const people = Array.from({ length: 9 }, (_, index) => ({ id: `usr_${index}`, generation: 0 }))
  const { ctx, jar } = openWith(...people)
  expect(people.map((person) => browsers.isKnown(ctx, person))).toEqual([false, ...Array(8).fill(true)])
  expect(jar.value!.length).toBeLessThan(1000)
})

test('the cookie names nobody, is bound to the host, and no script and no other site gets it', () => {
  const { jar } = openWith(ADA)
  expect(jar.value).not.toContain('ada')
  expect(jar.set!.name).toBe('__Host-anteroom_browser')
  expect(jar.set!.options).toMatchObject({ httpOnly: true, sameSite: 'lax', path: '/' })
  expect(jar.set!.options).toMatchObject({ maxAge: 365 * 24 * 3600 * 1000 })
})

test('what was edited, moved from another browser, forged, cut or blown up is unknown', () => {
  const hers = openWith(ADA).jar.value!
  const other = openWith(GRACE).jar.value!
  const [browser = '', mark = ''] = hers.split('.')
  const flipped = (text: string) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1)
  const hostile = [
    `${flipped(browser)}.${mark}`,
    `${browser}.${flipped(mark)}`,
    `${other.split('.')[0]}.${mark}`,
    browser,
    `${browser}.`,
    `${browser}.${mark.slice(0, -1)}`,
    `${hers}.`,
    ` ${hers}`,
    `${hers}\n`,
    `${browser}${`.${mark}`.repeat(9)}`,
    `${hers}.${'x'.repeat(100_000)}`,
    'x'.repeat(100_000),
    '__proto__',
    '',
  ]
  for (const value of hostile) expect(browsers.isKnown(open(value).ctx, ADA), value.slice(0, 99)).toBe(false)
  const forged = open()
  createKnownBrowsers(HTTPS, [key(2)]).remember(forged.ctx, ADA)
  expect(browsers.isKnown(forged.ctx, ADA)).toBe(false)
})

test('what cannot be read is replaced when somebody signs in', () => {
  const { ctx, jar } = open('nonsense')
  browsers.remember(ctx, ADA)
  expect(browsers.isKnown(ctx, ADA)).toBe(true)
  expect(jar.value).not.toContain('nonsense')
})

test('a new SECRET_KEY forgets nobody while the old one is still there', () => {
  const { ctx } = openWith(ADA)
  expect(createKnownBrowsers(HTTPS, [key(2), key(1)]).isKnown(ctx, ADA)).toBe(true)
  expect(createKnownBrowsers(HTTPS, [key(2)]).isKnown(ctx, ADA)).toBe(false)
})

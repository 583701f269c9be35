import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { createAssets } from '../http/assets.ts'
import { createViews } from '../http/view.ts'
import { MINUTE } from '../lib/clock.ts'
import { createCompose } from './compose.ts'
import type { Content } from './letter.ts'
import { createPlaces } from './place.ts'
import { SAMPLES } from './samples.ts'

const VIEWS = path.resolve(import.meta.dirname, '../../../../views')
const composeAs = (service: string) =>
  createCompose({
    views: createViews(VIEWS, createAssets(path.join(VIEWS, 'assets')), { name: service }),
    issuer: 'https://id.example.com',
    service,
    placeOf: createPlaces(),
  })
const compose = composeAs('Anteroom')

const occasion = {
  at: new Date('2026-11-22T22:14:00Z'),
  ip: '8.8.8.8',
  userAgent:
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
}
const letter = (content: Content, more: Partial<typeof occasion> = {}) =>
  compose('ltr_1', { to: 'ada@example.com', content, occasion: { ...occasion, ...more } })

const { code } = SAMPLES
const variants: Content[] = [
  ...Object.values(SAMPLES),
  { ...code, link: null, clientName: null },
  { ...SAMPLES.address_in_use, wanted: 'address' },
  { ...SAMPLES.password_changed, how: 'set' },
  { ...SAMPLES.password_changed, how: 'reset' },
  { ...SAMPLES.recovery_asked, isReady: true, validMs: 864_000_000 },
  { ...SAMPLES.recovery_code_used, left: 7 },
  { ...SAMPLES.recovery_code_used, left: 1 },
  { ...SAMPLES.recovery_code_used, left: 0 },
]
const linksOf = (content: Content) =>
  Object.values(content).filter((value): value is string => /^https?:/.test(String(value)))
const visible = (html: string) =>
  html
    .replace(/<(style|title)[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
const HOSTILE = `Evil"'><script>alert(1)</script><img src=//x onerror=a>\r\nBcc: all@example.com\r\n\r\nhttps://evil.example/`

describe.each(variants.map((content) => [JSON.stringify(content), content] as const))('%s', (_, content) => {
  const { html, text, subject } = letter(content)

  test('weighs less than 10 kB and loads nothing from anywhere', () => {
    expect(Buffer.byteLength(html)).toBeLessThan(10_000)
    expect(html).not.toMatch(
      /<(img|link|script|iframe|object|svg|video|base|form)\b|url\(|@import|@font-face|\bsrc=|\bon\w+=/i,
    )
    const addresses = [...html.matchAll(/(\w+)="(https?:[^"]*)"/g)]
    for (const [, attribute, address] of addresses) {
      expect(attribute).toBe('href')
      expect(linksOf(content)).toContain(address)
    }
  })

  test('says in plain text all that the HTML says: each link alone on its line, the code, who, when, where', () => {
    for (const link of linksOf(content)) {
      expect(text.split('\n')).toContain(link)
      expect(html).toContain(`href="${link}"`)
    }
    if (content.kind === 'code')
      for (const part of [text, html, subject]) expect(part).toContain(content.code)
    for (const part of [text, visible(html)]) {
      expect(part).toContain('Anteroom')
      expect(part).toContain('Sunday 22 November 2026 at 22:14 UTC')
      expect(part).toContain('Chrome on Windows')
      expect(part).toContain('United States (network address 8.8.8.8)')
      expect(part).toContain('Was it not you?')
      expect(part).not.toMatch(/undefined|null|\[object|<%|&amp;/)
    }
  })

  test('can be read in the dark, and has a line for the list of letters', () => {
    expect(html).toContain('<meta name="color-scheme" content="light dark">')
    expect(html).toContain('prefers-color-scheme: dark')
    expect(html).toMatch(/class="preheader" style="display:none[^>]*>[A-Z][^<]{20,}</)
  })
})

test('a letter with a code begins with it, ends bound to our name, and says how long it works', () => {
  const { subject, text, html } = letter(code)
  expect(subject).toBe('123456 is your Anteroom code')
  expect(text.endsWith('\n@id.example.com #123456\n')).toBe(true)
  for (const part of [text, visible(html)]) {
    expect(part).toContain('for 10 minutes: until 22:24 UTC')
    expect(part).toContain('Nobody from us will ask for this code')
  }
})

test('machines are told that nobody wrote it; its id stays the same however often it is sent', () => {
  expect(letter(code)).toMatchObject({
    messageId: '<ltr_1@id.example.com>',
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
  })
  expect(letter(code)).toEqual(letter(code))
})

test('what an app or a browser calls itself stays text, on one line, and no link', () => {
  const { html, text, subject } = letter(
    { ...code, clientName: HOSTILE },
    { userAgent: HOSTILE, ip: HOSTILE },
  )
  expect(html).not.toMatch(/<script|<img/)
  expect(html).not.toMatch(/https?:\/\/evil/)
  expect(text).not.toMatch(/^Bcc|https?:\/\/evil/m)
  expect(subject).toBe('123456 is your Anteroom code')
  for (const part of [text, visible(html)]) {
    expect(part).toContain('an unknown device')
    expect(part).toContain('an unknown place')
  }
})

test('a service may be called anything without breaking the subject', () => {
  const { subject, html } = composeAs('Room <b>&\r\nBcc: x')('ltr_1', {
    to: 'a@b.c',
    content: code,
    occasion,
  })
  expect(subject).toBe('123456 is your Room <b>& Bcc: x code')
  expect(html).not.toContain('<b>&')
})

test('an app is named as it is in plain text, and escaped in HTML', () => {
  const { html, text } = letter({ ...code, clientName: 'Tea & <Sons>' })
  expect(text).toContain('continue to Tea & <Sons>')
  expect(html).toContain('Tea &amp; &lt;Sons&gt;')
})

test('a letter whose templates are broken stops the start', () => {
  const broken = {
    fragment: () => {
      throw new Error('no such partial')
    },
  }
  expect(() =>
    createCompose({ views: broken, issuer: 'https://x', service: 'x', placeOf: () => '' }),
  ).toThrow('no such partial')
})

test('what is valid for days says until which day', () => {
  expect(letter({ ...SAMPLES.address_changed, validMs: 7 * 24 * 60 * MINUTE }).text).toContain(
    'for 7 days: until Sunday 29 November 2026 at 22:14 UTC',
  )
})

test('whoever hears of wrong codes learns how far somebody got, for how long the app is paused, and what to do', () => {
  for (const content of [SAMPLES.second_factor_locked, SAMPLES.second_factor_disabled]) {
    const { html, text } = letter(content)
    for (const part of [text, visible(html)]) {
      expect(part).toContain('got past the first step')
      expect(part).toContain('recovery code')
      expect(part).toContain('Choose a new password now')
    }
  }
  expect(letter(SAMPLES.second_factor_locked).text).toContain('paused for 15 minutes')
})

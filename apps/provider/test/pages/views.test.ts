import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { ASSETS, ada, nobody, ROOT } from './samples/ground.ts'
import { bareSamples, samples } from './samples.ts'

const HOSTILE = `"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;{{x}}<%= 1 %>`
const hostile = {
  name: HOSTILE,
  host: HOSTILE,
  email: HOSTILE,
  errors: [{ field: HOSTILE, message: HOSTILE }],
}
const wrong = { ...ada, errors: [{ field: 'password', message: 'That password is easy to guess.' }] }
const sampled = Object.entries(samples)
const everyPage = [
  ...sampled.map(([name, draw]) => [name, () => draw(ada)] as const),
  ...Object.entries(bareSamples),
]

const text = (html: string) =>
  html
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
const inside = (html: string, element: string, having = '') =>
  [...html.matchAll(new RegExp(`<${element}\\b([^>]*)>([\\s\\S]*?)</${element}>`, 'g'))]
    .filter(([, attributes = '']) => attributes.includes(having))
    .map(([, , content = '']) => content)
const named = (html: string, element: string, having?: string) => inside(html, element, having).map(text)
const main = (html: string) => inside(html, 'main').join('')
const values = (html: string, attribute: string) =>
  [...html.matchAll(new RegExp(`\\s${attribute}="([^"]*)"`, 'g'))].map(([, value = '']) => value)
/** Element and attribute names in order: what a browser would build, without the words in it. */
const skeleton = (html: string) =>
  [...html.matchAll(/<(\/?[a-z][a-z0-9]*)((?:"[^"]*"|[^">])*)>/gi)].map(([, tag, rest = '']) => [
    tag,
    ...[...rest.replace(/"[^"]*"/g, '').matchAll(/[a-z-]+/gi)].map(([attribute]) => attribute),
  ])

test('every page in the house has a sample here', () => {
  const parts = [
    'methods/password/sign-in',
    'methods/password/enrol',
    'methods/email-code/door',
    'methods/email-code/code',
    'methods/passkey/door',
  ]
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ejs') && !/^(layouts|partials|mail)\//.test(file))
    .map((file) => file.replace(/\.ejs$/, ''))
  expect(files.sort()).toEqual([...Object.keys(samples), ...parts].sort())
})

describe.each(everyPage)('%s', (_, draw) => {
  const html = draw()

  test('obeys a policy that allows nothing inline', () => {
    expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:/i)
    expect(inside(html, 'script').filter((content) => content.trim())).toEqual([])
    expect([...values(html, 'src'), ...values(html, 'href')].filter((url) => url.startsWith('//'))).toEqual(
      [],
    )
  })

  test('posts only with its own token', () => {
    const forms = [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)]
    for (const [, attributes, content] of forms) {
      expect(attributes).toContain('method="post"')
      expect(content).toContain('<input type="hidden" name="csrf" value="mac-of-the-cookie">')
    }
  })

  test('can be read aloud: a language, one heading first, every reference with its target', () => {
    expect(html).toMatch(/^<!doctype html>\n<html lang="en" dir="ltr">/)
    expect(inside(html, 'h1')).toHaveLength(1)
    expect(text(html)).not.toMatch(/undefined|null|\[object/)
    const ids = values(html, 'id')
    expect(new Set(ids).size).toBe(ids.length)
    const references = ['for', 'form', 'aria-controls', 'aria-describedby'].flatMap((attribute) =>
      values(html, attribute),
    )
    expect(ids).toEqual(expect.arrayContaining(references.flatMap((value) => value.split(' '))))
  })
})

test.each(sampled)('%s shows hostile text as text', (_, draw) => {
  const html = draw(hostile)
  const harmless = draw({ name: 'x', host: 'x', email: 'x', errors: [{ field: 'x', message: 'x' }] })
  expect(skeleton(html)).toEqual(skeleton(harmless))
  expect(html).not.toContain('<script>')
  expect(html).not.toContain('<img')
})

test('a hostile text that is not escaped would be seen', () => {
  const draw = (name: string) => `<p title="${name}">${name}</p>`
  expect(skeleton(draw(HOSTILE))).not.toEqual(skeleton(draw('x')))
})

// The public surface: a field is found by its label, a button or a link by its name.
test.each([
  [
    'interaction/sign-in',
    ['Email', 'Password'],
    ['Sign in', 'Email me a code', 'Sign in with a passkey', 'Cancel'],
    ['Forgot password?', 'Create account'],
  ],
  ['interaction/create-account', ['Email', 'Name (optional)', 'Password'], ['Create account'], ['Sign in']],
  [
    'interaction/consent',
    ['See the pictures of Ada Lovelace'],
    ['Allow', 'Cancel'],
    ['About this app (opens in a new tab)'],
  ],
  ['interaction/sign-out', [], ['Sign out'], ['Stay signed in']],
  [
    'account/profile',
    ['Name (optional)'],
    ['Sign out', 'Save'],
    ['Profile', 'Security', 'Confirm address', 'Change address'],
  ],
  ['account/security', [], ['Sign out', 'Remove password'], ['Profile', 'Security', 'Change password']],
  [
    'account/password',
    ['Current password', 'New password'],
    ['Sign out', 'Save password'],
    ['Profile', 'Security', 'Forgot password?', 'Cancel'],
  ],
  ['account/address', ['New email'], ['Sign out', 'Continue'], ['Profile', 'Security', 'Cancel']],
  [
    'account/code',
    ['Code'],
    ['Sign out', 'Continue', 'Send a new code'],
    ['Profile', 'Security', 'Back to your profile'],
  ],
  ['recovery/forgot', ['Email'], ['Send reset link'], ['Sign in']],
  ['recovery/reset', ['New password'], ['Save password'], []],
  [
    'methods/totp/code',
    ['Authentication code', 'Don’t ask for the second step on this device for 30 days'],
    ['Continue', 'Cancel'],
    ['Use a recovery code'],
  ],
  [
    'account/devices',
    [],
    ['Forget this device', 'Forget this device', 'Forget all devices', 'Cancel'],
    ['Use a recovery code'],
  ],
  ['methods/recovery-codes/code', ['Recovery code'], ['Continue', 'Cancel'], ['Use a recovery code']],
  ['home', [], [], ['Sign in', 'Create account']],
])('%s names its fields, buttons and links as promised', (name, labels, buttons, links) => {
  const page = main(samples[name]!(ada))
  expect(named(page, 'label')).toEqual(labels)
  expect(named(page, 'button', 'class="button')).toEqual(buttons)
  expect(named(page, 'a')).toEqual(links)
})

test.each(['interaction/sign-in', 'interaction/create-account'])(
  '%s says what was wrong, in the same words, where the focus goes',
  (name) => {
    const html = samples[name]!(wrong)
    expect(html).toContain('<title>Error: ')
    expect(html).toMatch(/id="error-summary" tabindex="-1" autofocus/)
    expect(html.match(/\sautofocus/g)).toHaveLength(1)
    expect(html).toContain('<a href="#password">That password is easy to guess.</a>')
    expect(named(html, 'p', 'password-error')).toEqual(['Error: That password is easy to guess.'])
    const input = /<input id="password"[^>]*>/.exec(html)![0]
    expect(input).toMatch(/aria-describedby="[^"]*password-error"/)
    expect(input).toContain('aria-invalid="true"')
    expect(input).toContain('value=""')
    expect(html).toContain('value="ada@example.com"')
  },
)

test('an error of no field in particular is told without a link to nowhere', () => {
  const html = samples['interaction/sign-in']!({ ...ada, errors: [{ field: '', message: 'Wait a minute.' }] })
  expect(named(main(html), 'li')).toEqual(['Wait a minute.'])
  expect(values(html, 'href')).not.toContain('#')
})

test('a known address puts the cursor into the password, an unknown one leaves the page unread', () => {
  expect(samples['interaction/sign-in']!(ada)).toMatch(/<input id="password"[^>]*autofocus/)
  expect(samples['interaction/sign-in']!(nobody)).not.toContain('autofocus')
})

test('an app nobody has checked is said to be so, a checked one is not', () => {
  const warning = 'We have not checked this app'
  expect(samples['interaction/consent']!(ada)).toContain(warning)
  expect(bareSamples['a consent without choices']!()).not.toContain(warning)
})

test('no permission is ticked for anyone, and Cancel leaves by its own form', () => {
  const html = samples['interaction/consent']!(ada)
  expect(html).not.toMatch(/<input[^>]*\schecked/)
  expect(html).toMatch(/<button class="button button-secondary" form="cancel">Cancel/)
  expect(html).toMatch(/<form method="post" id="cancel" action="\/interaction\/1\/cancel">/)
})

test('the onward page moves on by itself and by hand to the same place', () => {
  const html = samples['interaction/onward']!(ada)
  expect(html).toContain(
    '<meta http-equiv="refresh" content="0;url=https://printer.example/back?Ada Lovelace">',
  )
  expect(values(html, 'href')).toContain('https://printer.example/back?Ada Lovelace')
})

test('the first sign-in page with all it needs stays under 20 kB', () => {
  const files = ['anteroom.css', 'password.js', 'icon.svg'].map((file) =>
    readFileSync(path.join(ASSETS, file)),
  )
  const page = Buffer.from(samples['interaction/sign-in']!(nobody))
  const sent = page.length + files.reduce((sum, file) => sum + brotliCompressSync(file).length, 0)
  expect(sent).toBeLessThan(20_000)
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, createBrowser, type Page, TRUST_LOOPBACK } from './support/browser.ts'
import { type RawAnswer, sendRaw } from './support/raw.ts'
import {
  authorizationRequest,
  begin,
  newEmail,
  OPAQUE,
  PASSWORD,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

const NAME = 'id.example.com'

let server: TestServer
let secure: TestServer
/** A browser in which somebody is signed in. */
let visitor: Browser
let accessToken: string
beforeAll(async () => {
  const policy = (rules: TestServer['config']['policy']) => ({
    ...rules,
    limits: { ...rules.limits, password_per_account: [{ points: 1, per: 60_000, block: 0 }] },
  })
  server = await startServer({ policy })
  secure = await startServer({ settings: { ISSUER: `https://${NAME}`, ...TRUST_LOOPBACK } })
  const visit = await signUpAndIn(server, server.clients.own, OPAQUE)
  visitor = visit.browser
  accessToken = visit.tokens.access_token
})
afterAll(() => Promise.all([server.close(), secure.close()]))

type Answer = Pick<RawAnswer, 'status' | 'headers' | 'body'>
const cookiesOf = (browser: Browser) =>
  [...browser.jar.values()].map(({ name, value }) => `${name}=${value}`).join('; ')

async function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return sendRaw(server.address, { path, headers: { accept: 'text/html', ...headers } })
}
const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  sendRaw(server.address, {
    method: 'POST',
    path,
    body,
    headers: { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded', ...headers },
  })

const answer = ({ status, headers, text }: Page): Answer => ({
  status,
  headers: Object.fromEntries(headers),
  body: text,
})

/** Sends a form twice as often as one account may try; the last answer. */
async function tryTooOften(): Promise<Answer> {
  const browser = createBrowser()
  const page = await begin(browser, authorizationRequest(server, server.clients.own))
  const email = newEmail()
  await browser.submit(page, '/method/password', { email, password: 'wrong' })
  const { status, headers, text } = await browser.submit(page, '/method/password', {
    email,
    password: 'wrong',
  })
  return { status, headers: Object.fromEntries(headers), body: text }
}

async function journey(step: 'page' | 'onward'): Promise<Answer> {
  const browser = createBrowser()
  const page = await begin(browser, authorizationRequest(server, server.clients.own))
  const form = await browser.get(`${page.url}/register`)
  const person = { email: newEmail(), name: '', password: PASSWORD }
  return answer(step === 'page' ? page : await browser.submit(form, '/register', person))
}

const asset = async (file: string) =>
  get((new RegExp(`/assets/${file}\\.[0-9a-f]+\\.\\w+`).exec((await get('/')).body) ?? ['/missing'])[0])
const request = (change: Record<string, string> = {}) =>
  `/auth?${new URL(authorizationRequest(server, server.clients.own, change).url).searchParams}`
const unregistered = () => request({ redirect_uri: 'https://evil.example' })
const refused = () => request({ prompt: 'none' })
const postedCode = () => request({ response_mode: 'form_post' })
const started = () => request()

/** May stand in a window that the app opened, and so has no opener policy. */
const JOURNEY = /sign-in page|leads on|carries a code|cannot be trusted|journey|tries/

describe('T077: the headers of every answer', () => {
  const PAGES: [string, () => Promise<Answer>, number][] = [
    ['the front page', () => get('/'), 200],
    ['the front page of who is signed in', () => get('/', { cookie: cookiesOf(visitor) }), 200],
    ['the account', () => get('/account', { cookie: cookiesOf(visitor) }), 200],
    ['the sign-in page', () => journey('page'), 200],
    ['the page that leads on', () => journey('onward'), 200],
    ['the form that carries a code', () => get(postedCode(), { cookie: cookiesOf(visitor) }), 200],
    ['the question whether to sign out', () => get('/session/end', { cookie: cookiesOf(visitor) }), 200],
    ['the sign-out of nobody', () => get('/session/end'), 200],
    ['the page of who is signed out', () => get('/session/end/success'), 200],
    ['a request of an app that cannot be trusted', () => get(unregistered()), 400],
    ['a journey that is over', () => get('/interaction/gone'), 400],
    ['a form of another site', () => post('/sign-out', 'csrf=x'), 403],
    ['a page that is not there', () => get('/nowhere'), 404],
    [
      'a method that is not there',
      () => sendRaw(server.address, { method: 'DELETE', path: '/account', headers: { accept: 'text/html' } }),
      404,
    ],
    ['a form too large', () => post('/sign-out', 'x'.repeat(60_000)), 413],
    ['a form that is none', () => post('/sign-out', '{}', { 'content-type': 'application/json' }), 415],
    ['a foreign name', () => get('/', { host: 'evil.example' }), 421],
    ['too many tries', tryTooOften, 429],
  ]
  const OTHERS: [string, () => Promise<Answer>, number][] = [
    ['a health check', () => get('/livez'), 200],
    ['a readiness check', () => get('/readyz'), 200],
    ['the stylesheet', () => asset('anteroom'), 200],
    ['the icon', () => asset('icon'), 200],
    ['discovery', () => get('/.well-known/openid-configuration'), 200],
    ['the keys', () => get('/jwks'), 200],
    ['userinfo', () => get('/me', { authorization: `Bearer ${accessToken}` }), 200],
    ['userinfo without a token', () => get('/me', { accept: 'application/json' }), 401],
    ['a token request that fails', () => post('/token', 'grant_type=x', { accept: 'application/json' }), 400],
    [
      'introspection that fails',
      () => post('/token/introspection', 'token=x', { accept: 'application/json' }),
      400,
    ],
    ['revocation', () => post('/token/revocation', 'token=x&client_id=spa'), 200],
    [
      'a preflight',
      () =>
        sendRaw(server.address, {
          method: 'OPTIONS',
          path: '/token',
          headers: { origin: 'https://a.example', 'access-control-request-method': 'POST' },
        }),
      204,
    ],
    ['a page that is not there, to a program', () => get('/nowhere', { accept: 'application/json' }), 404],
    ['HEAD of a file', () => sendRaw(server.address, { method: 'HEAD', path: '/livez' }), 200],
  ]
  const REDIRECTS: [string, () => Promise<Answer>, number][] = [
    ['the way to the sign-in page', () => get(started()), 303],
    ['the way back to the app', () => get(started(), { cookie: cookiesOf(visitor) }), 303],
    ['the way back with an error', () => get(refused()), 303],
    ['a shortcut', () => get('/sign-in'), 303],
    ['the account of nobody', () => get('/account'), 303],
  ]

  function expectShared({ headers }: Answer) {
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    })
    expect(headers['cross-origin-resource-policy']).toMatch(/^(same|cross)-origin$/)
    expect(headers['cache-control']).toBeTruthy()
    expect(headers['content-security-policy']).toMatch(/default-src 'none'/)
    expect(headers['content-security-policy']).toMatch(/frame-ancestors 'none'/)
    expect(headers['content-security-policy']).toMatch(/base-uri 'none'/)
    expect(headers['content-security-policy']).not.toMatch(/unsafe|\*|https?:(?!\/\/localhost:3999)/)
    for (const name of ['x-powered-by', 'server', 'strict-transport-security'])
      expect(headers[name]).toBeUndefined()
  }

  test.each(PAGES)('%s', async (what, send, status) => {
    const answer = await send()
    expect(answer.status).toBe(status)
    expectShared(answer)
    expect(answer.headers['content-type']).toMatch(/^text\/html; charset=utf-8/)
    expect(answer.headers['cross-origin-opener-policy']).toBe(JOURNEY.test(what) ? undefined : 'same-origin')
    expect(answer.headers['permissions-policy']).toContain('camera=()')
    expect(answer.headers['content-security-policy']).toMatch(/form-action 'self'/)
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  test.each(OTHERS)('%s', async (_, send, status) => {
    const answer = await send()
    expect(answer.status).toBe(status)
    expectShared(answer)
    expect(answer.headers['content-security-policy']).toBe(
      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    )
  })

  test.each(REDIRECTS)('%s', async (_, send, status) => {
    const answer = await send()
    expect(answer.status).toBe(status)
    expectShared(answer)
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  test('of an https issuer keep the browser on https, whatever the answer', async () => {
    for (const [path, status] of [
      ['/', 200],
      ['/nowhere', 404],
      ['/jwks', 200],
      ['/sign-in', 303],
      ['/livez', 200],
    ] as const) {
      const answer = await sendRaw(secure.address, { path, headers: { host: NAME } })
      expect([path, answer.status, answer.headers['strict-transport-security']]).toEqual([
        path,
        status,
        'max-age=63072000; includeSubDomains',
      ])
    }
    expect(
      (await sendRaw(secure.address, { headers: { host: 'evil.example' } })).headers[
        'strict-transport-security'
      ],
    ).toBeTruthy()
  })
})

describe('T080: what a cache may keep', () => {
  test('is never an answer that sets a cookie, holds a code or shows a person', async () => {
    const answers = [
      await get(started()),
      await get(started(), { cookie: cookiesOf(visitor) }),
      await get('/account', { cookie: cookiesOf(visitor) }),
      await get('/', { cookie: cookiesOf(visitor) }),
      await get('/me', { authorization: `Bearer ${accessToken}` }),
    ]
    for (const { headers } of answers) expect(headers['cache-control']).toBe('no-store')
  })

  test('is not the account under the name of a stylesheet', async () => {
    for (const path of [
      '/account/x.css',
      '/account.css',
      '/account;x.css',
      '/account/..%2fx.css',
      '/account%2fx.css',
    ]) {
      const { status, body } = await get(path, { cookie: cookiesOf(visitor) })
      expect(status, path).toBe(404)
      expect(body).not.toContain('@example.com')
    }
  })
})

test('T138: nothing tells what we are made of', async () => {
  const secrets = /node_modules|\.ts:\d|at \w+ \(|oidc-provider|koa|prisma|postgres|ejs/i
  for (const path of [
    '/nowhere',
    '/.env',
    '/.git/config',
    '/package.json',
    '/metrics',
    '/assets/',
    '/src/main.ts',
    '/server-status',
    '/interaction/%',
    '/auth',
    '/token',
    '/me',
    '/session/end/confirm',
    '/%ff',
  ]) {
    for (const accept of ['text/html', 'application/json']) {
      const { status, body } = await get(path, { accept })
      expect(status, path).toBeGreaterThanOrEqual(400)
      expect(status, path).toBeLessThan(500)
      expect(body, path).not.toMatch(secrets)
    }
  }
})

import { createSecretKey, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serveKoa } from '../../test/support/koa.ts'
import { createCsrf } from './csrf.ts'
import { readFields } from './fields.ts'

const ISSUER = 'https://id.example.com'
const KEY = createSecretKey(randomBytes(32))

let server: Awaited<ReturnType<typeof serveKoa>>
beforeAll(async () => {
  const csrf = createCsrf(ISSUER, KEY)
  server = await serveKoa(async (ctx) => {
    ctx.req.headers['x-forwarded-proto'] = 'https'
    if (ctx.method === 'GET') ctx.body = { token: csrf.token(ctx), again: csrf.token(ctx) }
    else {
      csrf.check(ctx, await readFields(ctx))
      ctx.body = 'accepted'
    }
  })
})
afterAll(() => server.close())

async function open(cookie = '') {
  const response = await fetch(server.address, { headers: { cookie } })
  const { token, again } = (await response.json()) as { token: string; again: string }
  const [set] = response.headers.getSetCookie()
  return { token, again, set, cookie: set?.split(';')[0] ?? cookie }
}

async function post({
  cookie,
  token,
  headers,
}: {
  cookie?: string
  token?: string
  headers?: Record<string, string>
}) {
  const body = new URLSearchParams(token === undefined ? {} : { csrf: token })
  const response = await fetch(server.address, {
    method: 'POST',
    body,
    headers: { ...(cookie && { cookie }), ...headers },
  })
  return response.status
}

describe('T025: a form', () => {
  test('of our own page is accepted in the browser it was drawn for', async () => {
    expect(await post(await open())).toBe(200)
  })

  test('is refused without its value, with another, or with one of another browser', async () => {
    const { cookie, token } = await open()
    const other = await open()
    expect(await post({ cookie })).toBe(403)
    expect(await post({ cookie, token: '' })).toBe(403)
    expect(await post({ cookie, token: other.token })).toBe(403)
    expect(await post({ cookie, token: `${token}x` })).toBe(403)
    expect(await post({ cookie: other.cookie, token })).toBe(403)
  })

  test('is refused without the cookie, and the cookie itself is not the value', async () => {
    const { cookie, token } = await open()
    expect(await post({ token })).toBe(403)
    expect(await post({ cookie, token: cookie.slice(cookie.indexOf('=') + 1) })).toBe(403)
  })

  test('is refused to a server with another key', async () => {
    const elsewhere = createCsrf(ISSUER, createSecretKey(randomBytes(32)))
    const foreign = await serveKoa((ctx) => {
      ctx.body = elsewhere.token(ctx)
    })
    const { cookie } = await open()
    const token = await (await fetch(foreign.address, { headers: { cookie } })).text()
    expect(await post({ cookie, token })).toBe(403)
    await foreign.close()
  })
})

describe('T081: the browser says where a post comes from', () => {
  test.each([
    ['our own origin', { origin: ISSUER, 'sec-fetch-site': 'same-origin' }, 200],
    ['our own page, which sends no referrer', { origin: 'null', 'sec-fetch-site': 'same-origin' }, 200],
    ['a person who typed or bookmarked it', { 'sec-fetch-site': 'none' }, 200],
    ['an older browser that says nothing', {}, 200],
    ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, 403],
    ['another site, in an older browser', { origin: 'https://evil.example' }, 403],
    ['another site that hides its origin', { origin: 'null', 'sec-fetch-site': 'cross-site' }, 403],
    ['a sibling host', { origin: 'https://blog.example.com', 'sec-fetch-site': 'same-site' }, 403],
    ['our host over http', { origin: 'http://id.example.com', 'sec-fetch-site': 'cross-site' }, 403],
    ['our host on another port', { origin: 'https://id.example.com:8443' }, 403],
    ['a host whose name begins as ours', { origin: 'https://id.example.com.evil.example' }, 403],
  ])('%s', async (_, headers, status) => {
    expect(await post({ ...(await open()), headers: headers as Record<string, string> })).toBe(status)
  })
})

describe('the cookie', () => {
  test('T076: is out of reach for scripts, sibling hosts and plain http', async () => {
    const { set } = await open()
    const [pair, ...attributes] = set!.toLowerCase().split('; ')
    expect(pair).toMatch(/^__host-anteroom_csrf=[\w-]{43}$/)
    expect(attributes.sort()).toEqual(['httponly', 'path=/', 'samesite=lax', 'secure'])
  })

  test('is given once, and all forms of a page go with it', async () => {
    const first = await open()
    expect(first.again).toBe(first.token)
    const second = await open(first.cookie)
    expect(second.set).toBeUndefined()
    expect(second.token).toBe(first.token)
  })
})

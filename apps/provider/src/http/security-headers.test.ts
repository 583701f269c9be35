import type { Context } from 'koa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serveKoa } from '../../test/support/koa.ts'
import { allowFormAction, securityHeaders } from './security-headers.ts'

const route = (ctx: Context) => {
  const target = ctx.get('x-target')
  if (target) allowFormAction(ctx, target)
  if (ctx.path === '/cached') ctx.set('Cache-Control', 'public, max-age=300')
  if (ctx.path === '/json') ctx.body = {}
  else if (ctx.path === '/empty') ctx.status = 204
  else ctx.body = '<p>page</p>'
}

let http: Awaited<ReturnType<typeof serveKoa>>
let https: Awaited<ReturnType<typeof serveKoa>>
beforeAll(async () => {
  http = await serveKoa(securityHeaders('http://localhost:4000'), route)
  https = await serveKoa(securityHeaders('https://id.example.com'), route)
})
afterAll(() => Promise.all([http.close(), https.close()]))

const get = async (path: string, headers: Record<string, string> = {}, server = http) =>
  (await fetch(`${server.address}${path}`, { headers })).headers
const formAction = async (target: string) =>
  /form-action ([^;]*)/.exec((await get('/', { 'x-target': target })).get('content-security-policy')!)?.[1]

const SHARED = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

describe('T077: the headers', () => {
  test('of a page let nothing in from elsewhere, nothing inline, no frame around it and no form out', async () => {
    const headers = await get('/')
    expect(Object.fromEntries(headers)).toMatchObject({
      ...SHARED,
      'cross-origin-opener-policy': 'same-origin',
    })
    expect(headers.get('permissions-policy')).toContain('camera=()')
    const policy = headers.get('content-security-policy')!
    for (const rule of [
      "default-src 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "script-src 'self'",
    ])
      expect(policy.split('; ')).toContain(rule)
    expect(policy).not.toContain('unsafe')
  })

  test.each(['/json', '/empty'])('of %s allow nothing at all', async (path) => {
    expect(Object.fromEntries(await get(path))).toMatchObject({
      ...SHARED,
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    })
  })

  test('keep the browser on https once the issuer is there, and only then', async () => {
    expect((await get('/')).get('strict-transport-security')).toBeNull()
    const headers = await get('/', {}, https)
    expect(headers.get('strict-transport-security')).toBe('max-age=63072000; includeSubDomains')
    expect(headers.get('content-security-policy')).toContain('upgrade-insecure-requests')
  })

  test('leave what may be cached to be cached', async () => {
    expect((await get('/cached')).get('cache-control')).toBe('public, max-age=300')
  })
})

describe('the one form that leaves us, of response_mode=form_post,', () => {
  test.each([
    ['https://app.example/callback?x=1#y', "'self' https://app.example"],
    ['http://127.0.0.1:3000/callback', "'self' http://127.0.0.1:3000"],
    ['com.example.app:/callback', "'self' com.example.app:"],
  ])('may post to %s and nowhere else', async (target, sources) =>
    expect(await formAction(target)).toBe(sources),
  )

  test('cannot widen the policy by what stands in its address', async () => {
    for (const target of [
      "https://app.example;script-src'unsafe-inline'/",
      'https://a.example,b.example/',
      "https://app'example/",
    ]) {
      const policy = (await get('/', { 'x-target': target })).get('content-security-policy')
      expect(policy === null || !/unsafe|b\.example|'example/.test(policy), target).toBe(true)
    }
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, TRUST_LOOPBACK } from './support/browser.ts'
import { sendRaw } from './support/raw.ts'
import { auditTrail, authorizationRequest, begin, newEmail, register } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

const NAME = 'id.example.com'
const EVIL = 'evil.example'
const PATHS = [
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
  '/auth?client_id=own-web',
  '/jwks',
  '/',
  '/account',
  '/sign-in',
  '/session/end',
  '/nowhere',
]

let plain: TestServer
let proxied: TestServer
beforeAll(async () => {
  plain = await startServer()
  proxied = await startServer({ settings: { ISSUER: `https://${NAME}`, ...TRUST_LOOPBACK } })
})
afterAll(() => Promise.all([plain.close(), proxied.close()]))

const ownHost = () => new URL(plain.issuer).host

describe('a request under another name than the issuer’s', () => {
  test.each(PATHS)('is refused with 421 and repeats the name nowhere: %s', async (path) => {
    for (const host of [EVIL, `${ownHost()}.${EVIL}`, 'localhost', '127.0.0.1:4000']) {
      const { status, headers, body } = await sendRaw(plain.address, { path, headers: { host } })
      expect(status, host).toBe(421)
      expect(JSON.stringify(headers) + body).not.toContain(EVIL)
    }
  })

  test('cannot claim to come through a proxy nobody trusts', async () => {
    const headers = { host: EVIL, 'x-forwarded-host': ownHost(), forwarded: `host=${ownHost()}` }
    expect((await sendRaw(plain.address, { headers })).status).toBe(421)
  })

  test('is answered at the health checks, which tell nothing', async () => {
    const { status, body } = await sendRaw(plain.address, { path: '/livez', headers: { host: EVIL } })
    expect([status, body]).toEqual([200, '{"status":"alive"}'])
  })
})

describe('discovery is never poisoned', () => {
  test.each<Record<string, string>>([
    { 'x-forwarded-host': EVIL },
    { 'x-forwarded-host': EVIL, 'x-forwarded-proto': 'https' },
    { 'x-host': EVIL, 'x-forwarded-server': EVIL, 'x-original-host': EVIL },
    { forwarded: `for=1.2.3.4;host=${EVIL};proto=https` },
    { origin: `https://${EVIL}`, referer: `https://${EVIL}/` },
    { 'x-forwarded-prefix': '/evil', 'x-original-url': '/evil', 'x-rewrite-url': '/evil' },
    { host: `${EVIL}@HOST` },
    { host: `HOST, ${EVIL}` },
  ])('%j', async (lies) => {
    const host = lies['host']?.replace('HOST', ownHost()) ?? ownHost()
    const headers = { ...lies, host }
    for (const path of PATHS.slice(0, 2)) {
      const { status, body } = await sendRaw(plain.address, { path, headers })
      expect([200, 421]).toContain(status)
      expect(body).not.toContain(EVIL)
      if (status !== 200) continue
      for (const [name, value] of Object.entries(JSON.parse(body) as Record<string, unknown>)) {
        if (/_endpoint$|_uri$|^issuer$/.test(name))
          expect(String(value)).toMatch(new RegExp(`^${plain.issuer}(/|$)`))
      }
    }
  })

  test('by a whole address in the request line', async () => {
    const discover = (origin: string) =>
      sendRaw(plain.address, { path: `${origin}${PATHS[0]}`, headers: { host: ownHost() } })
    for (const origin of [
      `http://${EVIL}`,
      `HTTP://${EVIL}`,
      `https://${EVIL}`,
      `${plain.issuer}.${EVIL}`,
      `${plain.issuer}@${EVIL}`,
    ]) {
      const { status, body } = await discover(origin)
      expect(status, origin).toBeGreaterThanOrEqual(400)
      expect(body).not.toContain(EVIL)
    }
    expect((await discover(plain.issuer)).status).toBe(200)
  })

  test('by a path that looks like another host', async () => {
    for (const path of [`//${EVIL}${PATHS[0]}`, `/\\${EVIL}${PATHS[0]}`, `/${EVIL}/..${PATHS[0]}`]) {
      const { body } = await sendRaw(plain.address, { path, headers: { host: ownHost() } })
      expect(body).not.toContain(EVIL)
    }
  })
})

describe('behind a trusted proxy that ends TLS', () => {
  const throughProxy = { 'x-forwarded-host': NAME, 'x-forwarded-proto': 'https' }

  test('every address of discovery is the issuer’s', async () => {
    const headers = { host: 'provider:4000', ...throughProxy }
    const { status, body } = await sendRaw(proxied.address, { path: PATHS[0]!, headers })
    expect(status).toBe(200)
    for (const [name, value] of Object.entries(JSON.parse(body) as Record<string, unknown>)) {
      if (/_endpoint$|_uri$|^issuer$/.test(name))
        expect(String(value)).toMatch(/^https:\/\/id\.example\.com(\/|$)/)
    }
  })

  test('a proxy that passes a foreign name on is refused as well', async () => {
    expect(
      (await sendRaw(proxied.address, { headers: { host: NAME, 'x-forwarded-host': EVIL } })).status,
    ).toBe(421)
  })

  test('a person signs up, and the log has the address the proxy saw, not the one they wrote', async () => {
    const browser = createBrowser({
      headers: { ...throughProxy, 'x-forwarded-for': '203.0.113.66, 198.51.100.7' },
      at: proxied.address,
    })
    const email = newEmail()
    const done = await register(
      browser,
      await begin(browser, authorizationRequest(proxied, proxied.clients.own)),
      { email },
    )
    expect(done.next).toContain('code=')
    const { rows } = await proxied.database.pool.query<{ ip: string }>('select distinct ip from audit_events')
    expect(rows).toEqual([{ ip: '198.51.100.7' }])
    expect(await auditTrail(proxied, 'user.registered')).toHaveLength(1)
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, createBrowser, TRUST_LOOPBACK } from './support/browser.ts'
import { type RawAnswer, sendRaw } from './support/raw.ts'
import {
  authorizationRequest,
  begin,
  newEmail,
  PASSWORD,
  register,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

const NAME = 'id.example.com'

let server: TestServer
let secure: TestServer
/** A browser in which somebody is signed in. */
let visitor: Browser
beforeAll(async () => {
  server = await startServer()
  secure = await startServer({ settings: { ISSUER: `https://${NAME}`, ...TRUST_LOOPBACK } })
  visitor = (await signUpAndIn(server, server.clients.own)).browser
})
afterAll(() => Promise.all([server.close(), secure.close()]))

const get = (path: string, cookie = '') =>
  sendRaw(server.address, { path, headers: { accept: 'text/html', cookie } })

describe('T076: cookies', () => {
  const setCookies = ({ headers }: RawAnswer) => [headers['set-cookie'] ?? []].flat()
  const overHttps = { 'x-forwarded-host': NAME, 'x-forwarded-proto': 'https' }

  /** Every cookie a person gets from the app's button to the code, as the server wrote it. */
  async function collect(at: TestServer, headers: Record<string, string> = {}) {
    const browser = createBrowser({ headers, at: at.address })
    const lines: string[] = []
    const keep = async <P extends { headers: Headers }>(page: P) => {
      lines.push(...page.headers.getSetCookie())
      return page
    }
    const start = await keep(await browser.get(authorizationRequest(at, at.clients.own).url))
    const page = await keep(await browser.get(`${start.next}/register`))
    const onward = await keep(
      await browser.submit(page, '/register', { email: newEmail(), name: '', password: PASSWORD }),
    )
    const end = await keep(await browser.get(onward.next!))
    expect(end.next).toContain('code=')
    const account = await keep(await browser.get(`${at.issuer}/account`))
    await keep(await browser.submit(account, '/sign-out'))
    return lines.map((line) => {
      const [pair = '', ...attributes] = line.split('; ')
      const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
      return { name, value, line, attributes: attributes.map((attribute) => attribute.toLowerCase()) }
    })
  }

  test('wear our own name, since cookies ignore ports, and no script and no other site gets them', async () => {
    const cookies = await collect(server)
    expect(cookies.length).toBeGreaterThan(5)
    for (const { name, attributes, line } of cookies) {
      expect(name).toMatch(/^anteroom_/)
      expect(attributes, line).toContain('httponly')
      expect(attributes, line).toContain('samesite=lax')
      expect(attributes.some((attribute) => attribute.startsWith('domain'))).toBe(false)
      expect(attributes).not.toContain('secure')
    }
  })

  test('over https are secure, and bound to the host wherever their path allows it', async () => {
    const cookies = await collect(secure, overHttps)
    expect(cookies.length).toBeGreaterThan(5)
    for (const { name, attributes, line } of cookies) {
      const path = attributes.find((attribute) => attribute.startsWith('path='))
      expect(name).toMatch(path === 'path=/' ? /^__Host-anteroom_/ : /^__Secure-anteroom_/)
      expect(attributes, line).toContain('secure')
      expect(attributes, line).toContain('httponly')
      expect(attributes.some((attribute) => attribute.startsWith('domain'))).toBe(false)
    }
  })

  test('that stand for a person are 256 random bits, different each time and nowhere in an address', async () => {
    const [one, other] = [await collect(server), await collect(server)]
    const session = (cookies: typeof one) =>
      cookies.find(({ name, value }) => name === 'anteroom_session' && value)!.value
    expect(Buffer.from(session(one), 'base64url').length).toBeGreaterThanOrEqual(32)
    expect(session(one)).not.toBe(session(other))
  })

  test('that were forged or changed are no session', async () => {
    const session = visitor.jar.get('anteroom_session|/')!.value
    const signature = visitor.jar.get('anteroom_session.sig|/')!.value
    const status = async (cookie: string) => (await get('/account', cookie)).status
    expect(await status(`anteroom_session=${session}; anteroom_session.sig=${signature}`)).toBe(200)
    for (const cookie of [
      `anteroom_session=${session}`,
      `anteroom_session=${session}; anteroom_session.sig=x`,
      `anteroom_session=${session}x; anteroom_session.sig=${signature}`,
      `__Host-anteroom_session=${session}`,
      'anteroom_session=\0',
      'anteroom_session=',
    ]) {
      expect(await status(cookie).catch(() => 303), cookie).toBe(303)
    }
  })

  test('of thirty journeys begun at once in one browser stay far below what servers accept', async () => {
    const browser = createBrowser()
    const pages = await Promise.all(
      Array.from({ length: 30 }, () => begin(browser, authorizationRequest(server, server.clients.own))),
    )
    expect(new Set(pages.map(({ url }) => url)).size).toBe(30)
    for (const { value, name } of browser.jar.values()) expect(name.length + value.length).toBeLessThan(4096)
    for (const page of pages) {
      const { pathname } = new URL(page.url)
      const sent = [...browser.jar.values()].filter(({ path }) => pathname.startsWith(path))
      expect(sent.map(({ name, value }) => `${name}=${value}`).join('; ').length).toBeLessThan(8192)
    }
    const done = await register(browser, pages[7]!, { email: newEmail() })
    expect(done.next).toContain('code=')
    expect((await browser.get(pages[8]!.url)).status).toBe(200)
  })

  test('are not set where nothing needs them', async () => {
    for (const path of [
      '/',
      '/livez',
      '/jwks',
      '/.well-known/openid-configuration',
      '/nowhere',
      '/session/end/success',
    ]) {
      expect(setCookies(await get(path)), path).toEqual([])
    }
  })
})

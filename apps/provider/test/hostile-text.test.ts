import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formsOf, type Page } from './support/browser.ts'
import { sendRaw } from './support/raw.ts'
import { authorizationRequest, begin, newEmail, PASSWORD } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

async function open() {
  const browser = createBrowser()
  const page = await begin(browser, authorizationRequest(server, server.clients.own))
  const cookie = [...browser.jar.values()].map(({ name, value }) => `${name}=${value}`).join('; ')
  return { browser, page, cookie }
}

const people = () => server.database.prisma.user.count()

describe('T126: a form that no browser would send gets a 4xx and leaves nothing behind', () => {
  const BODIES: [string, string][] = [
    ['a NUL in the address', 'email=a%00b%40example.test&password=PASSWORD'],
    ['a NUL in the password', 'email=a%40example.test&password=PASSWORD%00'],
    ['a NUL in the name', 'email=EMAIL&name=a%00b&password=PASSWORD'],
    ['half a surrogate pair in the address', 'email=a%ED%A0%80%40example.test&password=PASSWORD'],
    ['an address twice', 'email=EMAIL&email=EMAIL&password=PASSWORD'],
    ['a password twice', 'email=EMAIL&password=PASSWORD&password=PASSWORD'],
    ['an array', 'email[]=EMAIL&password[]=PASSWORD'],
    ['an object', 'email[x]=EMAIL&password[$ne]=x'],
    ['__proto__', '__proto__[email]=EMAIL&__proto__[password]=PASSWORD&constructor[prototype][x]=1'],
    ['an address of a megabyte', `email=${'a'.repeat(1_000_000)}&password=PASSWORD`],
    ['T012: a password of a megabyte', `email=EMAIL&password=${'a'.repeat(1_000_000)}`],
    ['T012: a password of ten kilobytes', `email=EMAIL&password=${'a'.repeat(10_000)}`],
    ['a name of fifty kilobytes', `email=EMAIL&name=${'a'.repeat(50_000)}&password=PASSWORD`],
    ['a line break in the address', 'email=a%40example.test%0d%0aBcc:x%40example.test&password=PASSWORD'],
    ['no address at all', 'password=PASSWORD'],
    ['nothing', ''],
  ]

  async function send(page: Page, step: string, body: string, cookie: string) {
    const { csrf } = formsOf(page)[0]!.fields
    const typed = body
      .replaceAll('EMAIL', encodeURIComponent(newEmail()))
      .replaceAll('PASSWORD', encodeURIComponent(PASSWORD))
    const path = new URL(page.url).pathname.replace(/\/register$/, '') + step
    const headers = { cookie, accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded' }
    return sendRaw(server.address, { method: 'POST', path, headers, body: `csrf=${csrf}&${typed}` })
  }

  test.each(['/method/password', '/register'])('at %s', async (step) => {
    const { browser, page, cookie } = await open()
    const before = await people()
    for (const [what, body] of BODIES) {
      const { status, headers } = await send(page, step, body, cookie)
      expect([what, Math.floor(status / 100)]).toEqual([what, 4])
      expect(headers['content-type']).toContain('text/html')
    }
    expect(await people()).toBe(before)
    expect((await browser.get(page.url)).status).toBe(200)
  })

  test('and a surrogate in a name is a replacement character, kept as such', async () => {
    const { page, cookie } = await open()
    const { status } = await send(
      page,
      '/register',
      'email=EMAIL&name=Ada%ED%A0%80&password=PASSWORD',
      cookie,
    )
    expect(status).toBe(200)
  })
})

test('T091: odd bytes in a request for a code are never an error of ours', async () => {
  const odd = ['%00', '%ED%A0%80', '%FF%FE', '%', '%zz', 'a'.repeat(14_000)]
  for (const value of odd) {
    for (const name of [
      'login_hint',
      'state',
      'nonce',
      'scope',
      'client_id',
      'redirect_uri',
      'resource',
      'prompt',
      'id_token_hint',
      'acr_values',
      'claims',
      'ui_locales',
      'max_age',
      '__proto__',
    ]) {
      const url = new URL(authorizationRequest(server, server.clients.own, { [name]: undefined }).url)
      const { status } = await sendRaw(server.address, {
        path: `${url.pathname}${url.search}&${name}=${value}`,
        headers: { host: url.host, accept: 'text/html' },
      })
      expect(status, `${name}=${value.slice(0, 12)}`).toBeLessThan(500)
    }
  }
})

test('T143: sixty-four kilobytes in a header are refused, sixteen are read at once', async () => {
  const before = performance.now()
  for (const name of [
    'user-agent',
    'accept-language',
    'x-forwarded-for',
    'accept',
    'accept-encoding',
    'origin',
    'cookie',
  ]) {
    const long = ','.repeat(7_000) + 'a;q=0.'.repeat(1_000)
    expect((await sendRaw(server.address, { headers: { [name]: long } })).status, name).toBeLessThan(500)
    expect((await sendRaw(server.address, { headers: { [name]: 'a'.repeat(65_536) } })).status, name).toBe(
      431,
    )
  }
  expect(performance.now() - before).toBeLessThan(3000)
})

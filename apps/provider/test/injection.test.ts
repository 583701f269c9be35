import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formsOf, type Page } from './support/browser.ts'
import { authorizationRequest, begin, newEmail, register, signUpAndIn } from './support/relying-party.ts'
import { APP, startServer, type TestServer } from './support/server.ts'

const XSS = [
  '<script>alert(1)</script>',
  '"><script>alert(1)</script>',
  "'><img src=x onerror=alert(1)>",
  '<svg/onload=alert(1)>',
  '</title><script>alert(1)</script>',
  '" autofocus onfocus=alert(1) x="',
  "' onmouseover='alert(1)",
  '<iframe srcdoc="<script>alert(1)</script>">',
  '<a href="javascript:alert(1)">x</a>',
  '<meta http-equiv="refresh" content="0;url=https://evil.example">',
  '<base href="https://evil.example/">',
  '<form action="https://evil.example"><input name=x>',
  '<!--<img src="--><img src=x onerror=alert(1)//">',
  '<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>',
  '`-alert(1)-`',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '&#60;script&#62;alert(1)',
  '\u003cscript\u003ealert(1)',
  '＜script＞alert(1)',
  '<ſcript>alert(1)</ſcript>',
]
const TEMPLATES = [
  '<%= 7*191 %>',
  '<%- 7*191 %>',
  '{{7*191}}',
  `\${7*191}`,
  '#{7*191}',
  "' OR 1=1 --",
  '<%- include("/etc/passwd") %>',
]
const EVALUATED = String(7 * 191)

let server: TestServer
beforeAll(async () => {
  server = await startServer({
    clients: XSS.map((client_name, index) => ({
      client_id: `named-${index}`,
      client_secret: 'a secret of some length',
      client_name,
      client_uri: APP,
      redirect_uris: [`${APP}/callback`],
      first_party: false,
    })),
  })
})
afterAll(() => server.close())

const escaped = (text: string) =>
  text.replace(
    /[&<>"']/g,
    (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' })[sign]!,
  )

/** Of what was typed, nothing that means anything in HTML reaches the page as it is. */
function expectInert(page: Page, typed: string) {
  expect(page.status).toBeLessThan(500)
  if (/[<>"']/.test(typed)) expect(page.text).not.toContain(typed)
  expect(page.text).not.toMatch(/<(script|img|svg|iframe|meta|base)\b[^>]*(alert|evil)/)
}

const open = async (change: Record<string, string | undefined> = {}, client = server.clients.own) => {
  const browser = createBrowser()
  return { browser, page: await begin(browser, authorizationRequest(server, client, change)) }
}

describe('T116: a text that would be a script is only a text', () => {
  test('as a person’s name, on the consent page, on their account and in the form that is drawn again', async () => {
    for (const name of XSS) {
      const { browser, page } = await open({}, server.clients.third)
      const consent = await register(browser, page, { name })
      expectInert(consent, name)
      expect(consent.text).toContain(escaped(name))
      const account = await browser.get(`${server.issuer}/account`)
      expectInert(account, name)
      expect(account.text).toContain(escaped(name))
    }
    const { browser, page } = await open({ prompt: 'create' })
    for (const name of XSS) {
      const again = await browser.submit(page, '/register', { email: newEmail(), name, password: 'weak' })
      expect(again.status).toBe(422)
      expect(again.text).toContain(escaped(name))
      expectInert(again, name)
    }
  })

  test('as an address, in every form that shows it again', async () => {
    const { browser, page } = await open()
    for (const email of XSS) {
      const again = await browser.submit(page, '/method/password', { email, password: '' })
      expect(again.text).toContain(`value="${escaped(email)}"`)
      expectInert(again, email)
    }
  })

  test('as login_hint, which fills the form, and as ui_locales, claims_locales, state and nonce', async () => {
    for (const text of XSS) {
      const { page } = await open({
        login_hint: text,
        ui_locales: text,
        claims_locales: text,
        state: text,
        nonce: text,
      })
      expect(page.text).toContain(`value="${escaped(text)}"`)
      expectInert(page, text)
    }
  })

  test('as the name of an app, on its sign-in and consent pages and on the way to it', async () => {
    for (const [index, name] of XSS.entries()) {
      const client = server.config.clients.find(({ client_id }) => client_id === `named-${index}`)!
      const browser = createBrowser()
      const page = await begin(
        browser,
        authorizationRequest(server, client, { scope: 'openid', resource: undefined }),
      )
      expect(page.text).toContain(escaped(name))
      expectInert(page, name)
      const consent = await register(browser, page)
      expect(consent.text).toContain(escaped(name))
      expectInert(consent, name)
      expectInert(await browser.submit(consent, '/consent'), name)
    }
  })

  test('in every parameter of a request that cannot be answered', async () => {
    for (const text of XSS) {
      const { own } = server.clients
      for (const change of [
        { client_id: text },
        { redirect_uri: text },
        { redirect_uri: `${APP}/${text}` },
        { code_challenge: undefined, state: text },
      ]) {
        expectInert(
          await createBrowser().get(
            authorizationRequest(server, own, change as Record<string, string | undefined>).url,
          ),
          text,
        )
      }
      const query = new URLSearchParams({
        error: text,
        error_description: text,
        id_token_hint: text,
        post_logout_redirect_uri: text,
        client_id: text,
        state: text,
        logout_hint: text,
      })
      for (const path of [
        '/account',
        '/session/end',
        '/session/end/success',
        '/',
        '/sign-in',
        '/interaction/x',
        '/nowhere',
      ]) {
        expectInert(await createBrowser().get(`${server.issuer}${path}?${query}`), text)
      }
      expectInert(await createBrowser().get(`${server.issuer}/${encodeURIComponent(text)}`), text)
    }
  })

  test('as the state of a response that is posted to the app', async () => {
    const { browser } = await signUpAndIn(server, server.clients.own)
    for (const state of XSS) {
      const { url } = authorizationRequest(server, server.clients.own, { response_mode: 'form_post', state })
      const page = await browser.get(url)
      expectInert(page, state)
      expect(formsOf(page)).toHaveLength(1)
      expect(page.text.match(/<script/g)).toHaveLength(1)
    }
  })
})

describe('T021: a text that would be a program is only a text', () => {
  test('whatever field it is typed into', async () => {
    for (const text of TEMPLATES) {
      const { browser, page } = await open({ login_hint: text }, server.clients.third)
      expect(page.text).toContain(`value="${escaped(text)}"`)
      const refused = await browser.submit(page, '/method/password', { email: text, password: text })
      const consent = await register(browser, page, { name: text })
      for (const { text: shown, status } of [page, refused, consent]) {
        expect(status).toBeLessThan(500)
        expect(shown).not.toContain(EVALUATED)
        expect(shown).not.toContain('root:')
      }
      expect(consent.text).toContain(escaped(text))
    }
  })

  test.each([
    'settings[view options][outputFunctionName]=x;process.exit()//',
    'settings[view options][client]=true&settings[view options][escapeFunction]=1;process.exit()',
    '_with=false&strict=false&localsName=x',
    'cache=true&filename=/etc/passwd&delimiter=?',
    'layout=/etc/passwd&page[title]=x&page=x',
    '__proto__[outputFunctionName]=x;process.exit()//&constructor[prototype][x]=y',
  ])('in the query of any page: %s', async (query) => {
    const { browser, page } = await open()
    for (const url of [
      page.url,
      `${server.issuer}/`,
      `${server.issuer}/account`,
      `${server.issuer}/session/end`,
      `${server.issuer}/nowhere`,
    ]) {
      const plain = await browser.get(url)
      const answer = await browser.get(`${url}?${query}`)
      expect(answer.status, url).toBeLessThan(500)
      expect(answer.text).not.toContain('root:')
      if (plain.status === 200 && answer.status === 200) expect(answer.text.length).toBe(plain.text.length)
    }
    expect(({} as Record<string, unknown>)['outputFunctionName']).toBeUndefined()
    expect((await fetch(`${server.issuer}/livez`)).status).toBe(200)
  })
})

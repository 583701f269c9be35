import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClientConfig } from '../src/config.ts'
import { answerOf, expectOwnPage } from './support/answers.ts'
import { createBrowser } from './support/browser.ts'
import { authorizationRequest } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

const REGISTERED = 'https://app.example.com/oauth/callback'
const exact: ClientConfig = {
  client_id: 'exact',
  client_secret: 'a secret of some length',
  client_name: 'Exact app',
  redirect_uris: [REGISTERED, `${REGISTERED}?tenant=1`],
  first_party: true,
}

let server: TestServer
beforeAll(async () => {
  server = await startServer({ clients: [exact] })
})
afterAll(() => server.close())

type Change = Record<string, string | undefined>
const ask = (client: ClientConfig, change: Change = {}, browser = createBrowser()) =>
  browser.get(authorizationRequest(server, client, change).url)

describe('T088: a redirect_uri that is not letter for letter a registered one is answered here, and nobody is sent there:', () => {
  test.each([
    'https://app.example.com/oauth/callback/',
    'https://app.example.com/oauth/Callback',
    'https://APP.example.com/oauth/callback',
    'HTTPS://app.example.com/oauth/callback',
    'http://app.example.com/oauth/callback',
    'https://app.example.com:443/oauth/callback',
    'https://app.example.com:8443/oauth/callback',
    'https://app.example.com./oauth/callback',
    'https://app.example.com/oauth/callback?',
    'https://app.example.com/oauth/callback?x=1',
    'https://app.example.com/oauth/callback?tenant=2',
    'https://app.example.com/oauth/callback?tenant=1&x=1',
    'https://app.example.com/oauth/callback#',
    'https://app.example.com/oauth/callback#fragment',
    'https://app.example.com/oauth/../oauth/callback',
    'https://app.example.com/oauth/callback/../callback',
    'https://app.example.com/oauth/./callback',
    'https://app.example.com//oauth/callback',
    'https://app.example.com/oauth//callback',
    'https://app.example.com/oauth/%63allback',
    'https://app.example.com/oauth%2fcallback',
    'https://app.example.com/oauth/callback%2e',
    'https://app.example.com/oauth/callback%00',
    'https://app.example.com/oauth/callback%252f',
    'https://app.example.com/oauth/callback\\',
    'https://app.example.com\\@evil.example/oauth/callback',
    'https://app.example.com/oauth/callback\t',
    ' https://app.example.com/oauth/callback',
    'https://app.example.com/oauth/callback\r\n',
    'https://evil@app.example.com/oauth/callback',
    'https://app.example.com@evil.example/oauth/callback',
    'https://app.example.com:x@evil.example/oauth/callback',
    'https://app.example.com.evil.example/oauth/callback',
    'https://evilapp.example.com/oauth/callback',
    'https://evil.app.example.com/oauth/callback',
    'https://app.example.com。evil.example/oauth/callback',
    'https://аpp.example.com/oauth/callback',
    'https://xn--pp-6kc.example.com/oauth/callback',
    'https://*.example.com/oauth/callback',
    'https://app.example.com/*',
    'https://app.example.com',
    'https://93.184.216.34/oauth/callback',
    '//app.example.com/oauth/callback',
    '/oauth/callback',
    'javascript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'app.example.com/oauth/callback',
    '',
  ])('%j', async (redirect_uri) => expectOwnPage(await ask(exact, { redirect_uri }), 'redirect_uri'))

  test.each([
    'http://127.0.0.1:3999/callback/own-web',
    'http://[::1]:3999/callback/own-web',
    'http://2130706433:3999/callback/own-web',
    'http://localhost:4999/callback/own-web',
    'https://localhost:3999/callback/own-web',
  ])('localhost is localhost alone: %j', async (redirect_uri) =>
    expectOwnPage(await ask(server.clients.own, { redirect_uri }), 'redirect_uri'),
  )

  test('none at all', async () =>
    expectOwnPage(await ask(exact, { redirect_uri: undefined }), 'redirect_uri'))

  test('a good one and a second', async () => {
    const { url } = authorizationRequest(server, exact)
    for (const second of ['https://evil.example/', REGISTERED]) {
      expectOwnPage(
        await createBrowser().get(`${url}&redirect_uri=${encodeURIComponent(second)}`),
        'redirect_uri',
      )
    }
  })

  test('while the registered ones are accepted, their query kept', async () => {
    for (const redirect_uri of exact.redirect_uris) {
      const answer = await ask(exact, { redirect_uri, prompt: 'none' })
      expect(answer.next).toMatch(new RegExp(`^${redirect_uri.replace('?', '\\?')}[?&]error=login_required`))
    }
  })
})

describe('T089: an app that cannot be trusted with an answer gets none:', () => {
  test('an unknown one', async () => {
    for (const client_id of ['nobody', '', undefined, '__proto__', 'constructor', 'anteroom-account']) {
      expectOwnPage(
        await ask(exact, { client_id }),
        client_id === 'anteroom-account' ? 'redirect_uri' : 'client_id',
      )
    }
  })

  test('everything else it is told, with its state and our issuer', async () => {
    const cases: [Change, string][] = [
      [{ prompt: 'none' }, 'login_required'],
      [{ prompt: 'none login' }, 'invalid_request'],
      [{ prompt: 'surprise' }, 'invalid_request'],
      [{ max_age: '-1' }, 'invalid_request'],
      [{ resource: 'https://unknown.example' }, 'invalid_target'],
      [{ id_token_hint: 'nonsense' }, 'invalid_request'],
    ]
    for (const [change, error] of cases) {
      expect(
        answerOf(server, await ask(exact, { state: 'of the app', ...change })),
        JSON.stringify(change),
      ).toMatchObject({ error, state: 'of the app' })
    }
  })
})

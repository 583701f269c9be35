import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClientConfig } from '../src/config.ts'
import { answerOf, expectOwnPage } from './support/answers.ts'
import { type Browser, createBrowser, formsOf } from './support/browser.ts'
import {
  authorizationRequest,
  begin,
  codeOf,
  newEmail,
  PASSWORD,
  signIn,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
/** A browser in which somebody is signed in. */
let visitor: Browser
beforeAll(async () => {
  server = await startServer()
  visitor = (await signUpAndIn(server, server.clients.own)).browser
})
afterAll(() => server.close())

type Change = Record<string, string | undefined>
const ask = (client: ClientConfig, change: Change = {}, browser = createBrowser()) =>
  browser.get(authorizationRequest(server, client, change).url)

describe('T091: what we do not offer is refused', () => {
  test.each(['token', 'id_token', 'code token', 'code id_token', 'id_token token', 'none', 'CODE', ''])(
    'response_type=%s',
    async (response_type) => {
      const page = await ask(server.clients.own, { response_type }, visitor)
      expect(page.next ?? '').not.toMatch(/[?&#](code|token|id_token|access_token)=/)
      if (page.next)
        expect(['unsupported_response_type', 'invalid_request', 'unauthorized_client']).toContain(
          answerOf(server, page)['error'],
        )
      else expectOwnPage(page, 'response_type')
    },
  )

  test.each(['web_message', 'jwt', 'query.jwt', 'form_post.jwt', 'okta_post_message', 'surprise'])(
    'response_mode=%s',
    async (response_mode) => {
      const page = await ask(server.clients.own, { response_mode }, visitor)
      expect(page.next ?? '').not.toContain('code=')
      expect(page.text).not.toContain('name="code"')
    },
  )

  test('request objects and addresses of them, which are never fetched', async () => {
    let fetched = 0
    const elsewhere = createServer((_, res) => res.end(String(++fetched))).listen(0)
    const request_uri = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/request.jwt`
    const unsigned = `${btoa('{"alg":"none"}')}.${btoa('{"client_id":"own-web"}')}.`.replaceAll('=', '')
    expect(answerOf(server, await ask(server.clients.own, { request: unsigned }))).toMatchObject({
      error: 'request_not_supported',
    })
    expect(answerOf(server, await ask(server.clients.own, { request: 'a.b.c.d.e' }))).toMatchObject({
      error: 'request_not_supported',
    })
    for (const uri of [request_uri, 'urn:ietf:params:oauth:request_uri:guessed', 'file:///etc/passwd']) {
      const page = await ask(server.clients.own, { request_uri: uri })
      expect(page.next ?? '').not.toContain('code=')
      expect([303, 400]).toContain(page.status)
    }
    expect(fetched).toBe(0)
    elsewhere.close()
  })

  test.each(['state', 'scope', 'nonce', 'client_id', 'code_challenge', 'response_type', 'prompt'])(
    '%s sent twice',
    async (name) => {
      const { url } = authorizationRequest(server, server.clients.own, { prompt: 'none' })
      const page = await visitor.get(`${url}&${name}=again`)
      expect(page.next ?? '').not.toContain('code=')
      expect(page.status).toBeLessThan(500)
    },
  )
})

describe('T095: state', () => {
  const states = [
    'x'.repeat(500),
    'Zoë 李 🦔',
    '&#38; + % = ? #',
    '"><b>',
    ' ',
    'a\nb',
    '%00%zz',
    '{"csrf":"=="}',
  ]

  test.each(states)('%j comes back as it was sent, by every way', async (state) => {
    expect(answerOf(server, await ask(server.clients.own, { state }, visitor))['state']).toBe(state)
    expect(answerOf(server, await ask(server.clients.own, { state, prompt: 'none' }))).toMatchObject({
      error: 'login_required',
      state,
    })
    const posted = formsOf(await ask(server.clients.own, { state, response_mode: 'form_post' }, visitor))[0]!
      .fields
    expect(posted['state']).toBe(state)
  })

  test('that was not sent does not come back', async () => {
    expect(answerOf(server, await ask(server.clients.own, { state: undefined }, visitor))).not.toHaveProperty(
      'state',
    )
  })
})

test('T096: every redirect on the way is 303', async () => {
  const browser = createBrowser()
  const start = await browser.get(authorizationRequest(server, server.clients.own).url)
  const door = await browser.follow(start)
  const onward = await browser.submit(await browser.get(`${door.url}/register`), '/register', {
    email: newEmail(),
    name: '',
    password: PASSWORD,
  })
  const end = await browser.get(onward.next!)
  expect([start.status, onward.status, end.status]).toEqual([303, 200, 303])
  for (const path of ['/sign-in', '/register', '/account'])
    expect((await createBrowser().get(`${server.issuer}${path}`)).status).toBe(303)
})

describe('what an app may ask of the visit', () => {
  test('prompt=none never shows anything: it is login_required, consent_required or a code', async () => {
    expect(answerOf(server, await ask(server.clients.third, { prompt: 'none' }))).toMatchObject({
      error: 'login_required',
    })
    const { browser } = await signUpAndIn(server, server.clients.own)
    expect(answerOf(server, await ask(server.clients.third, { prompt: 'none' }, browser))).toMatchObject({
      error: 'consent_required',
    })
    expect(answerOf(server, await ask(server.clients.own, { prompt: 'none' }, browser))).toHaveProperty(
      'code',
    )
  })

  test('prompt=login asks for the password although there is a session', async () => {
    const { browser, email } = await signUpAndIn(server, server.clients.own)
    const page = await begin(browser, authorizationRequest(server, server.clients.own, { prompt: 'login' }))
    expect(page.text).toContain('/method/password')
    codeOf(await signIn(browser, page, { email }))
  })

  test('prompt=create opens the page to create an account, for new people and for those with a session', async () => {
    const fresh = createBrowser()
    const page = await begin(fresh, authorizationRequest(server, server.clients.own, { prompt: 'create' }))
    codeOf(
      await fresh.follow(
        await fresh.submit(page, '/register', {
          email: newEmail(),
          name: '',
          password: PASSWORD,
        }),
      ),
    )
    expect(
      (await begin(fresh, authorizationRequest(server, server.clients.own, { prompt: 'create' }))).text,
    ).toContain('autocomplete="new-password"')
  })

  test('prompt=consent asks again what was allowed before', async () => {
    const { browser } = await signUpAndIn(server, server.clients.third)
    codeOf(await begin(browser, authorizationRequest(server, server.clients.third)))
    const page = await begin(
      browser,
      authorizationRequest(server, server.clients.third, { prompt: 'consent' }),
    )
    codeOf(await browser.follow(await browser.submit(page, '/consent')))
  })

  test('max_age=0 asks for the password, max_age=1000 does not', async () => {
    const { browser } = await signUpAndIn(server, server.clients.own)
    expect(
      (await begin(browser, authorizationRequest(server, server.clients.own, { max_age: '0' }))).text,
    ).toContain('/method/password')
    codeOf(await begin(browser, authorizationRequest(server, server.clients.own, { max_age: '1000' })))
  })

  test('login_hint fills in the address', async () => {
    const page = await begin(
      createBrowser(),
      authorizationRequest(server, server.clients.own, { login_hint: 'grace@example.com' }),
    )
    expect(page.text).toContain('value="grace@example.com"')
  })

  test('id_token_hint of the person who is signed in passes, of somebody else asks who it is', async () => {
    const one = await signUpAndIn(server, server.clients.own)
    const other = await signUpAndIn(server, server.clients.own)
    const hint = { id_token_hint: one.tokens.id_token, prompt: 'none' }
    expect(answerOf(server, await ask(server.clients.own, hint, one.browser))).toHaveProperty('code')
    expect(answerOf(server, await ask(server.clients.own, hint, other.browser))).toMatchObject({
      error: 'login_required',
    })
  })
})

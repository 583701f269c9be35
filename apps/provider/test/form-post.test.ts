import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClientConfig } from '../src/config.ts'
import { expectOwnPage } from './support/answers.ts'
import { type Browser, createBrowser, formsOf, type Page } from './support/browser.ts'
import { authorizationRequest, begin, redeem, register, signUpAndIn } from './support/relying-party.ts'
import { APP, startServer, type TestServer } from './support/server.ts'

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

describe('response_mode=form_post', () => {
  const form_post = { response_mode: 'form_post' }
  const formAction = (page: Page) =>
    /form-action ([^;]*)/.exec(page.headers.get('content-security-policy') ?? '')?.[1]

  test('carries the code in a form that may go to the app’s origin and nowhere else', async () => {
    const request = authorizationRequest(server, server.clients.own, form_post)
    const page = await visitor.get(request.url)
    expect([page.status, page.next]).toEqual([200, null])
    expect(formAction(page)).toBe(`'self' ${APP}`)
    const { action, fields } = formsOf(page)[0]!
    expect(action).toBe(request.redirectUri)
    expect(fields).toMatchObject({ state: request.state, iss: server.issuer })
    expect((await redeem(server, server.clients.own, { request, code: fields['code']! })).status).toBe(200)
  })

  test('does so at the end of a journey too', async () => {
    const browser = createBrowser()
    const page = await register(
      browser,
      await begin(browser, authorizationRequest(server, server.clients.own, form_post)),
    )
    expect(formAction(page)).toBe(`'self' ${APP}`)
    expect(formsOf(page)[0]!.fields['code']).toBeTruthy()
  })

  test.each<[string, Change]>([
    ['nobody is signed in', { prompt: 'none' }],
    ['a parameter is wrong', { max_age: 'never' }],
    ['the response type is missing', { response_type: 'token' }],
  ])('carries an error as well, when %s', async (_, change) => {
    const page = await ask(server.clients.own, { ...form_post, ...change })
    const { action, fields } = formsOf(page)[0]!
    expect(action).toBe(server.clients.own.redirect_uris[0])
    expect(fields['error']).toBeTruthy()
    expect(formAction(page)).toBe(`'self' ${APP}`)
  })

  test('never widens the policy for an address that is not registered', async () => {
    const page = await ask(server.clients.own, { ...form_post, redirect_uri: 'https://evil.example/' })
    expectOwnPage(page, 'redirect_uri')
    expect(formAction(page)).toBe("'self'")
  })
})

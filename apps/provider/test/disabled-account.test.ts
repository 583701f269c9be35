// Promise c, as far as it reaches without an administrator's page: disabled means disabled.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from './support/browser.ts'
import {
  authorizationRequest,
  bearer,
  begin,
  codeOf,
  introspect,
  isSignedIn,
  OPAQUE,
  PASSWORD,
  redeem,
  refresh,
  signIn,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const setDisabled = (email: string, at: Date | null) =>
  server.database.prisma.user.update({ where: { emailCanonical: email }, data: { disabledAt: at } })

test('a disabled account has no session, no token, no active introspection and no door', async () => {
  const { own } = server.clients
  const { browser, email, tokens } = await signUpAndIn(server, own, OPAQUE)
  expect(await introspect(server, own, tokens.access_token)).toMatchObject({ active: true })

  await setDisabled(email, new Date())
  expect(await introspect(server, own, tokens.access_token)).toEqual({ active: false })
  expect(await introspect(server, own, tokens.refresh_token)).toEqual({ active: false })
  expect(await bearer(server, tokens.access_token)).toBe(401)
  expect((await refresh(server, own, tokens.refresh_token)).body.error).toBe('invalid_grant')
  const page = await begin(browser, authorizationRequest(server, own))
  expect(page.text).toContain('name="password"')
  expect((await browser.get(`${server.issuer}/account`)).status).toBe(303)
})

/** On the way to the app with a proof that is good, up to where the browser would follow. */
async function prove(email: string, client = server.clients.own) {
  const browser = createBrowser()
  const request = authorizationRequest(server, client)
  const form = await begin(browser, request)
  const onward = await browser.submit(form, '/method/password', { email, password: PASSWORD })
  return { browser, request, form, onward }
}

test('a code of a disabled account is worth nothing, nor are tokens for an API renewed', async () => {
  const { own } = server.clients
  const { email, tokens } = await signUpAndIn(server, own)
  const { browser, request, onward } = await prove(email)
  const code = codeOf(await browser.follow(onward))
  await setDisabled(email, new Date())
  expect((await redeem(server, own, { request, code })).body.error).toBe('invalid_grant')
  expect((await refresh(server, own, tokens.refresh_token)).body.error).toBe('invalid_grant')
})

test('what was proved for an account before it was disabled signs nobody in', async () => {
  const { email } = await signUpAndIn(server, server.clients.own)
  const { browser, onward } = await prove(email)
  await setDisabled(email, new Date())
  const page = await browser.follow(onward)
  expect(page.text).toContain('name="password"')
  expect(await isSignedIn(browser, server)).toBe(false)
})

test('nobody agrees to anything for a disabled account', async () => {
  const { email } = await signUpAndIn(server, server.clients.own)
  const { browser, onward } = await prove(email, server.clients.third)
  const question = await browser.follow(onward)
  await setDisabled(email, new Date())
  expect((await browser.submit(question, '/consent')).status).toBe(400)
  expect(await server.database.prisma.consent.count({ where: { user: { emailCanonical: email } } })).toBe(0)
})

test('the right password of a disabled account is answered like a wrong one', async () => {
  const { email } = await signUpAndIn(server, server.clients.own)
  await setDisabled(email, new Date())
  const answer = async (password: string) => {
    const browser = createBrowser()
    const page = await begin(browser, authorizationRequest(server, server.clients.own))
    const { status, text } = await signIn(browser, page, { email, password })
    return { status, told: /<[^>]*role="alert"[\s\S]*?<\/div>/.exec(text)?.[0] }
  }
  const right = await answer(PASSWORD)
  expect(right).toMatchObject({ status: 422, told: expect.stringContaining('not right') })
  expect(right).toEqual(await answer('another good password of theirs'))
})

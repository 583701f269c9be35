// Promise d in the journey itself: what a person does once happens once, however often the browser asks.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from './support/browser.ts'
import {
  authorizationRequest,
  begin,
  newEmail,
  PASSWORD,
  refresh,
  register,
  signIn,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

test('T097: the last page of a journey, loaded four times at once, makes one code', async () => {
  const { own } = server.clients
  const email = newEmail()
  const first = createBrowser()
  await register(first, await begin(first, authorizationRequest(server, own)), { email })
  for (let round = 0; round < 8; round++) {
    const browser = createBrowser()
    const page = await begin(browser, authorizationRequest(server, own))
    const onward = await browser.submit(page, '/method/password', { email, password: PASSWORD })
    const answers = await Promise.all([1, 2, 3, 4].map(() => browser.get(onward.next!)))
    const codes = answers.filter(({ next }) => next && new URL(next).searchParams.has('code'))
    expect(codes).toHaveLength(1)
    for (const { status } of answers) expect(status).toBeLessThan(500)
  }
})

test('T016: nine wrong tries and a right one leave nothing behind', async () => {
  const { own } = server.clients
  const email = newEmail()
  const start = createBrowser()
  await register(start, await begin(start, authorizationRequest(server, own)), { email })
  const browser = createBrowser()
  const page = await begin(browser, authorizationRequest(server, own))
  for (let i = 0; i < 9; i++)
    expect((await signIn(browser, page, { email, password: 'wrong' })).status).toBe(422)
  expect((await signIn(browser, page, { email })).next).toContain('code=')
  const again = createBrowser()
  const second = await begin(again, authorizationRequest(server, own))
  expect((await signIn(again, second, { email, password: 'wrong' })).status).toBe(422)
  expect((await signIn(again, second, { email })).next).toContain('code=')
})

test('when another person signs in with the same browser, the first one’s tokens of the house’s own apps end', async () => {
  const { own } = server.clients
  const { browser, tokens } = await signUpAndIn(server, own)
  const second = authorizationRequest(server, own, { prompt: 'login' })
  const changed = await register(browser, await begin(browser, second))
  await browser.follow(await browser.submit(changed, '/session/end/confirm'))
  expect((await refresh(server, own, tokens.refresh_token)).body.error).toBe('invalid_grant')
})

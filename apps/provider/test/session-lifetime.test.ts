import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { age, authorizationRequest, begin, codeOf, isSignedIn, signUpAndIn } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

describe('T083: a session ends by itself', () => {
  test('when it was not used for its idle time, also for who copied its cookie', async () => {
    const { browser } = await signUpAndIn(server, server.clients.own)
    await age(server, 86_401, 'Session')
    expect(await isSignedIn(browser, server)).toBe(false)
    const page = await browser.get(authorizationRequest(server, server.clients.own, { prompt: 'none' }).url)
    expect(page.next).toContain('error=login_required')
  })

  test('at its absolute end, however much it was used', async () => {
    const strict = await startServer({
      policy: (policy) => ({
        ...policy,
        lifetimes: { ...policy.lifetimes, session: 60_000, session_idle: 3_600_000 },
      }),
    })
    onTestFinished(() => strict.close())
    const { browser } = await signUpAndIn(strict, strict.clients.own)
    codeOf(await begin(browser, authorizationRequest(strict, strict.clients.own)))
    await age(strict, 61, 'Session')
    expect(await isSignedIn(browser, strict)).toBe(false)
  })
})

// Where a second factor is demanded, nobody goes in before they have one.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newBrowser, newMember } from './support/account.ts'
import { codesIn, createAppClock, secretIn } from './support/authenticator-app.ts'
import { csrfIn, TRUST_LOOPBACK } from './support/browser.ts'
import {
  authorizationRequest,
  begin,
  claimsOf,
  journeyOf,
  newEmail,
  register,
  signIn,
} from './support/relying-party.ts'
import { STRICT_APP, startServer, type TestServer } from './support/server.ts'

const { now, nextCode } = createAppClock()

describe('T052: where everybody must have a second factor', () => {
  let strict: TestServer
  beforeAll(async () => {
    strict = await startServer({
      settings: TRUST_LOOPBACK,
      now,
      policy: (policy) => ({ ...policy, factors: { ...policy.factors, second_factor_for: 'everyone' } }),
    })
  })
  afterAll(() => strict.close())

  test('a new person sets one up on the way, sees the recovery codes, and only then goes in', async () => {
    const browser = newBrowser()
    const request = authorizationRequest(strict, strict.clients.own)
    const asked = await register(browser, await begin(browser, request), { email: newEmail() })
    expect(asked.text).toContain('Set up authenticator app')
    expect((await browser.get(`${strict.issuer}/account`)).status).toBe(303)
    const setup = await browser.submit(asked, '/enrol/totp/begin')
    expect(setup.text).toContain('Set up something else')
    const shown = await browser.submit(setup, '/enrol/totp/confirm', { code: nextCode(secretIn(setup)) })
    expect(codesIn(shown)).toHaveLength(10)
    expect((await browser.get(`${strict.issuer}/account`)).status).toBe(303)
    const ready = await browser.get(journeyOf(asked))
    const done = await browser.follow(await browser.submit(ready, '/second'))
    expect(await claimsOf(strict, { request, page: done })).toMatchObject({
      acr: 'urn:anteroom:acr:2',
      amr: ['pwd', 'otp', 'mfa'],
    })
  })

  test('a session alone sets nothing up: whoever stole one would bind their own app to the account', async () => {
    const lax = await startServer({ settings: TRUST_LOOPBACK, now, clients: [STRICT_APP] })
    try {
      const { browser } = await newMember(lax)
      const asked = await begin(browser, authorizationRequest(lax, STRICT_APP))
      expect(asked.text).toContain('name="password"')
      const csrf = csrfIn(asked)
      const answer = await browser.send(`${asked.url}/enrol/totp/begin`, { form: { csrf } })
      expect(answer.status).toBe(303)
      expect(answer.text).not.toContain('otpauth')
    } finally {
      await lax.close()
    }
  })

  test('leaving and coming back, by another app or with prompt=create, skips nothing', async () => {
    const browser = newBrowser()
    const email = newEmail()
    await register(browser, await begin(browser, authorizationRequest(strict, strict.clients.own)), { email })
    for (const change of [{}, { prompt: 'create' }, { prompt: 'none' }]) {
      const page = await begin(browser, authorizationRequest(strict, strict.clients.spa, change))
      expect(page.next?.includes('code=') ?? false).toBe(false)
    }
    const again = await begin(browser, authorizationRequest(strict, strict.clients.own))
    const asked = await browser.follow(await signIn(browser, again, { email }))
    expect(asked.text).toContain('Set up authenticator app')
  })
})

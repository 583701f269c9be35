// F03, F06: a database that stops, hangs or comes back is a 503 for a while, and never an OAuth error.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openDatabase } from '../src/db/open.ts'
import { silentLog } from '../src/lib/log.ts'
import { halfWay, newMember } from './support/account.ts'
import { appCode, enrolApp } from './support/authenticator-app.ts'
import { type Browser, csrfIn } from './support/browser.ts'
import { findPostgresPrograms, type OwnPostgres, startPostgres } from './support/postgres.ts'
import {
  authorizationRequest,
  begin,
  codeOf,
  OPAQUE,
  refresh,
  signUpAndIn,
  type Tokens,
  token,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

/** What somebody half signed in may post, and what a person in their account. */
const JOURNEY_STEPS = [
  '/second/totp',
  '/second/passkey',
  '/second/recovery-codes',
  '/second',
  '/later',
  '/lost',
  '/enrol/totp/begin',
  '/recovery',
  '/recovery/stop',
]
const OWN_STEPS = [
  '/recover',
  '/recover/stop',
  '/account/recovery/stop',
  '/account/later',
  '/account/security/offer',
  '/account/security/devices/forget',
  '/account/security/devices/forget-all',
  '/account/security/password/remove',
  '/account/security/totp/begin',
  '/account/security/totp/remove',
  '/account/security/recovery-codes/renew',
  '/account/security/passkey/add',
]

const RECOVERY = { timeout: 10_000, interval: 100 }

describe.runIf(findPostgresPrograms())('a database that is gone', () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'anteroom-gone-'))
  let postgres: OwnPostgres
  let server: TestServer
  let person: { browser: Browser; tokens: Tokens }

  beforeAll(async () => {
    postgres = await startPostgres()
    const database = await openDatabase({ url: postgres.url, dataDir, log: silentLog })
    server = await startServer({ database, secretKey: randomBytes(32) })
    person = await signUpAndIn(server, server.clients.own, OPAQUE)
  })
  afterAll(async () => {
    await server.close()
    await server.database.close()
    await postgres.remove()
    rmSync(dataDir, { recursive: true, force: true })
  })

  const stopped = { gone: () => postgres.stop('immediate'), back: () => postgres.start() }
  const hung = { gone: async () => postgres.pause(), back: async () => postgres.resume() }

  for (const [name, fault] of Object.entries({ stopped, hung })) {
    test(`${name}: every answer is a 503 with Retry-After; afterwards everybody goes on where they were`, async () => {
      const { own } = server.clients
      await fault.gone()
      try {
        await Promise.all([
          expectPage(person.browser, authorizationRequest(server, own).url),
          expectPage(person.browser, `${server.issuer}/account`),
          expectJson('/token', {
            client_id: own.client_id,
            client_secret: own.client_secret!,
            grant_type: 'refresh_token',
            refresh_token: person.tokens.refresh_token,
          }),
          expectJson('/token/introspection', {
            client_id: own.client_id,
            client_secret: own.client_secret!,
            token: person.tokens.access_token,
          }),
          expectUserinfo(),
        ])
        expect((await fetch(`${server.issuer}/livez`)).status).toBe(200)
        expect((await fetch(`${server.issuer}/readyz`)).status).toBe(503)
        expect((await fetch(`${server.issuer}/.well-known/openid-configuration`)).status).toBe(200)
        expect((await fetch(`${server.issuer}/jwks`)).status).toBe(200)
      } finally {
        await fault.back()
      }
      await vi.waitFor(
        async () => expect((await fetch(`${server.issuer}/readyz`)).status).toBe(200),
        RECOVERY,
      )
      expect((await refresh(server, own, person.tokens.refresh_token)).status).toBe(200)
      codeOf(await begin(person.browser, authorizationRequest(server, own)))
    })
  }

  test('stopped: no step of a second factor does anything, and each goes on afterwards', async () => {
    const member = await newMember(server)
    const code = (secret: string) => appCode(secret, new Date())
    const owner = await enrolApp(server, member, code)
    const { browser, page } = await halfWay(server, owner)
    const csrf = csrfIn(page)
    const ownCsrf = csrfIn(await member.browser.get(`${server.issuer}/account/security`))
    await stopped.gone()
    try {
      const answers = await Promise.all([
        ...JOURNEY_STEPS.map((step) => browser.send(page.url + step, { form: { csrf, code: '123456' } })),
        ...['/lost', '/second/totp'].map((step) => browser.get(page.url + step)),
        ...OWN_STEPS.map((step) =>
          member.browser.send(server.issuer + step, {
            form: { csrf: ownCsrf, token: 'x'.repeat(43), id: 'crd_1' },
          }),
        ),
      ])
      for (const { status, headers, url } of answers)
        expect([url, status, Number(headers.get('retry-after')) > 0]).toEqual([url, 503, true])
    } finally {
      await stopped.back()
    }
    await vi.waitFor(async () => expect((await fetch(`${server.issuer}/readyz`)).status).toBe(200), RECOVERY)
    const form = await browser.get(`${page.url}/second/recovery-codes`)
    const [recoveryCode = ''] = owner.recoveryCodes
    const done = await browser.submit(form, '/second/recovery-codes', { code: recoveryCode })
    codeOf(await browser.follow(done))
  })

  async function expectPage(browser: Browser, url: string) {
    const page = await browser.get(url)
    expect(page.status).toBe(503)
    expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(page.text).toContain('Nothing of yours is lost')
    expect(page.headers.get('location')).toBeNull()
  }

  async function expectJson(endpoint: string, form: Record<string, string>) {
    const response = await fetch(server.issuer + endpoint, {
      method: 'POST',
      body: new URLSearchParams(form),
    })
    expect(response.status, endpoint).toBe(503)
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    const answer = await response.text()
    expect(answer).not.toMatch(/invalid_grant|invalid_token|"active"/)
    expect(JSON.parse(answer)).toMatchObject({ error: 'temporarily_unavailable' })
  }

  async function expectUserinfo() {
    const response = await fetch(`${server.issuer}/me`, {
      headers: { authorization: `Bearer ${person.tokens.access_token}` },
    })
    expect(response.status).toBe(503)
    expect(response.headers.get('www-authenticate')).toBeNull()
  }

  test('a request that was under way when the database went has spent nothing it did not answer for', async () => {
    const { own } = server.clients
    const request = authorizationRequest(server, own)
    const code = codeOf(await begin(person.browser, request))
    const exchange = () =>
      token(server, own, {
        grant_type: 'authorization_code',
        code,
        redirect_uri: request.redirectUri,
        code_verifier: request.verifier,
      })
    await postgres.stop('immediate')
    expect((await exchange()).status).toBe(503)
    await postgres.start()
    await vi.waitFor(async () => expect((await fetch(`${server.issuer}/readyz`)).status).toBe(200), RECOVERY)
    expect((await exchange()).status).toBe(200)
  })
})

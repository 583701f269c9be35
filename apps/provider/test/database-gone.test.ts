// F03, F06: a database that stops, hangs or comes back is a 503 for a while, and never an OAuth error.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openDatabase } from '../src/db/open.ts'
import { silentLog } from '../src/lib/log.ts'
import type { Browser } from './support/browser.ts'
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

// Several processes on one database: a journey of which no two requests in a row reach the same one.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser } from './support/browser.ts'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from './support/database.ts'
import { freePort } from './support/port.ts'
import { type Place, preparePlace } from './support/process.ts'
import {
  authorizationRequest,
  bearer,
  begin,
  codeOf,
  introspect,
  isSignedIn,
  newEmail,
  OPAQUE,
  redeem,
  refresh,
  register,
  signIn,
  token,
} from './support/relying-party.ts'
import { CLIENTS, type TestServer } from './support/server.ts'
import { type Spread, startSpread } from './support/spread.ts'

const { third } = CLIENTS
const hasServer = (await realPostgresUrl()) !== null

describe.skipIf(!hasServer)('two processes (the embedded database serves one)', () => {
  let database: TestDatabase
  let place: Place
  let spread: Spread
  let server: TestServer
  beforeAll(async () => {
    database = await createTestDatabase()
    place = await preparePlace()
    server = { issuer: place.issuer } as TestServer
    const ports = [await freePort(), await freePort()]
    for (const port of ports) place.start({ DATABASE_URL: database.url!, PORT: String(port) })
    for (const port of ports) await place.ready(`http://localhost:${port}`)
    spread = await startSpread(place.port, ports)
  })
  afterAll(async () => {
    await spread?.close()
    place?.remove()
    await database?.drop()
  })

  test.each([0, 1])('serve one journey in turn, whichever comes first: %i', async (first) => {
    const before = [...spread.counts]
    spread.beginWith(first)
    const browser = createBrowser()
    const email = newEmail()

    const request = authorizationRequest(server, third, OPAQUE)
    const consent = await register(browser, await begin(browser, request), { email })
    const code = codeOf(await browser.follow(await browser.submit(consent, '/consent')))
    const { body: tokens } = await redeem(server, third, { request, code })
    const { body: refreshed } = await refresh(server, third, tokens.refresh_token)
    expect(await bearer(server, refreshed.access_token)).toBe(200)
    expect(await introspect(server, third, refreshed.access_token)).toMatchObject({ active: true })

    codeOf(await begin(browser, authorizationRequest(server, third, OPAQUE)))
    expect(await isSignedIn(browser, server)).toBe(true)

    const question = await browser.get(`${server.issuer}/session/end`)
    await browser.follow(await browser.submit(question, '/sign-out?back=app'))
    expect(await isSignedIn(browser, server)).toBe(false)

    const back = createBrowser()
    codeOf(await signIn(back, await begin(back, authorizationRequest(server, third, OPAQUE)), { email }))
    expect(await isSignedIn(back, server)).toBe(true)

    const requests = spread.counts.map((count, index) => count - before[index]!)
    expect(Math.abs(requests[0]! - requests[1]!)).toBeLessThanOrEqual(1)
    expect(requests[0]).toBeGreaterThan(10)
  })

  test.each([0, 1])(
    'know what the other one has spent and revoked, whichever comes first: %i',
    async (first) => {
      const browser = createBrowser()
      const request = authorizationRequest(server, third, OPAQUE)
      const consent = await register(browser, await begin(browser, request))
      const code = codeOf(await browser.follow(await browser.submit(consent, '/consent')))

      spread.beginWith(first)
      const { body: tokens } = await redeem(server, third, { request, code })
      expect((await redeem(server, third, { request, code })).body.error).toBe('invalid_grant')
      expect(await bearer(server, tokens.access_token)).toBe(401)
      const again = await token(server, third, {
        grant_type: 'refresh_token',
        refresh_token: tokens.refresh_token,
      })
      expect(again.body.error).toBe('invalid_grant')
    },
  )
})

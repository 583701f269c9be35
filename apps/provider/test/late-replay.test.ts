// A code or refresh token presented again after its own time was over betrays a thief as well
// (RFC 6749, section 4.1.2; RFC 9700, section 4.14.2).
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRetention } from '../src/jobs/retention.ts'
import { DAY, SECOND } from '../src/lib/clock.ts'
import { silentLog } from '../src/lib/log.ts'
import { auditTrail, bearer, OPAQUE, redeem, refresh, signUpAndIn } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const refusal = { status: 400, body: { error: 'invalid_grant' } }
const A_WHILE = 3 * 3600

const clear = () =>
  createRetention({
    database: server.database,
    policy: server.config.policy,
    log: silentLog,
  }).run(new AbortController().signal)

/** As if what is meant had been made so many seconds earlier: by the row's clock and by the engine's own `exp`. */
const grow = (seconds: number, which = 'true') =>
  server.database.pool.query(
    `update artifacts set expires_at = expires_at - $1 * interval '1 s', consumed_at = consumed_at - $1 * interval '1 s',
       payload = (payload::jsonb || jsonb_build_object('exp', (payload ->> 'exp')::int - $1::int))::json where ${which}`,
    [seconds],
  )
const CODES = `kind = 'AuthorizationCode'`

describe('a code that was redeemed, presented again', () => {
  test('after its minute is over ends the access token and the refresh token it was redeemed for', async () => {
    const { own } = server.clients
    const { request, code, tokens } = await signUpAndIn(server, own, OPAQUE)
    await grow(61, CODES)
    expect(await bearer(server, tokens.access_token)).toBe(200)

    expect(await redeem(server, own, { request, code })).toMatchObject(refusal)
    expect(await bearer(server, tokens.access_token)).toBe(401)
    expect(await refresh(server, own, tokens.refresh_token)).toMatchObject(refusal)
    expect(await auditTrail(server, 'token.reuse_detected')).not.toEqual([])
  })

  test('hours later, when retention has been there, still ends the refresh token', async () => {
    const { own } = server.clients
    const { request, code, tokens } = await signUpAndIn(server, own, OPAQUE)
    await grow(A_WHILE)
    await clear()

    expect(await redeem(server, own, { request, code })).toMatchObject(refusal)
    expect(await refresh(server, own, tokens.refresh_token)).toMatchObject(refusal)
  })

  test('by another client, or without its verifier, ends nothing', async () => {
    const { own, third } = server.clients
    const { request, code, tokens } = await signUpAndIn(server, own, OPAQUE)
    await grow(61, CODES)
    expect(await redeem(server, third, { request, code })).toMatchObject(refusal)
    const guessed = { ...request, verifier: 'v'.repeat(43) }
    expect(await redeem(server, own, { request: guessed, code })).toMatchObject(refusal)
    expect((await refresh(server, own, tokens.refresh_token)).status).toBe(200)
  })
})

test('a code that was never redeemed is merely late, and ends nothing', async () => {
  const { own } = server.clients
  const { request, code, tokens } = await signUpAndIn(server, own, OPAQUE)
  await grow(61, CODES)
  await server.database.pool.query(`update artifacts set consumed_at = null where ${CODES}`)
  expect(await redeem(server, own, { request, code })).toMatchObject(refusal)
  expect((await refresh(server, own, tokens.refresh_token)).status).toBe(200)
})

test('a refresh token that was rotated and has since expired still ends its living successor', async () => {
  const { spa } = server.clients
  const { tokens } = await signUpAndIn(server, spa, { ...OPAQUE, prompt: 'consent' })
  const { body: renewed } = await refresh(server, spa, tokens.refresh_token)
  await grow((15 * DAY) / SECOND, 'consumed_at is not null')
  await clear()
  expect(await bearer(server, renewed.access_token)).toBe(200)

  expect(await refresh(server, spa, tokens.refresh_token)).toMatchObject(refusal)
  expect(await bearer(server, renewed.access_token)).toBe(401)
  expect(await refresh(server, spa, renewed.refresh_token)).toMatchObject(refusal)
})

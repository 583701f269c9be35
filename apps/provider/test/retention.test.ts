// Room for whole data: what people and apps leave behind goes when nobody needs it, and not before.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRetention } from '../src/jobs/retention.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../src/lib/clock.ts'
import { silentLog } from '../src/lib/log.ts'
import type { Browser } from './support/browser.ts'
import {
  age,
  authorizationRequest,
  bearer,
  codeOf,
  isSignedIn,
  OPAQUE,
  redeem,
  refresh,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

const SIGN_INS = 10_000
/** So many of them are real; their rows stand for the others'. ANTEROOM_SIGN_INS=10000 makes all of them real. */
const REAL = Number(process.env['ANTEROOM_SIGN_INS'] ?? 250)
const PEOPLE = 8
/** What each person's apps do at once. */
const AT_ONCE = 8
const PATIENCE = 5 * MINUTE

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const clear = () =>
  createRetention({
    database: server.database,
    policy: server.config.policy,
    log: silentLog,
    rest: async () => {},
  }).run(new AbortController().signal)

async function countRows(): Promise<Record<string, number>> {
  const tables = ['artifacts', 'audit_events', 'rate_limits', 'keys', 'users', 'credentials', 'consents']
  const counts = tables.map((table) => `select '${table}' as name, count(*)::int as rows from ${table}`)
  const { rows } = await server.database.pool.query<{ name: string; rows: number }>(
    counts.join(' union all '),
  )
  return Object.fromEntries(rows.map(({ name, rows: found }) => [name, found]))
}

/** As if everything had happened so long ago. */
async function advance(ms: number) {
  await age(server, ms / SECOND)
  const { pool } = server.database
  await pool.query(`update audit_events set at = at - $1 * interval '1 ms'`, [ms])
  await pool.query('update rate_limits set expire = expire - $1', [ms])
}

/** As if each family of tokens and each event had been there so many times. */
async function multiply(times: number) {
  const { pool } = server.database
  await pool.query(
    `insert into artifacts (kind, id, grant_id, user_id, client_id, payload, expires_at, consumed_at)
     select kind, id || '#' || n, grant_id || '#' || n, user_id, client_id, payload, expires_at, consumed_at
       from artifacts, generate_series(2, $1::int) n`,
    [times],
  )
  await pool.query(
    `insert into audit_events (id, at, type, user_id, client_id, ip, user_agent, request_id, data)
     select id || '#' || n, at, type, user_id, client_id, ip, user_agent, request_id, data
       from audit_events, generate_series(2, $1::int) n`,
    [times],
  )
}

async function complete(browser: Browser) {
  const request = authorizationRequest(server, server.clients.own, OPAQUE)
  const page = await browser.get(request.url)
  const { status } = await redeem(server, server.clients.own, { request, code: codeOf(page) })
  if (status !== 200) throw new Error(`the code was refused with ${status}`)
}

test('ten thousand sign-ins later, when every lifetime is over, there are as many rows as before', {
  timeout: PATIENCE,
}, async () => {
  const baseline = await countRows()
  const browsers: Browser[] = []
  for (let n = 0; n < PEOPLE; n++)
    browsers.push((await signUpAndIn(server, server.clients.own, OPAQUE)).browser)
  await signUpAndIn(server, server.clients.third, OPAQUE)

  let begun = PEOPLE
  const workers = browsers.flatMap((browser) => Array<Browser>(AT_ONCE).fill(browser))
  await Promise.all(
    workers.map(async (browser) => {
      while (begun++ < REAL) await complete(browser)
    }),
  )
  await multiply(SIGN_INS / REAL)
  const full = await countRows()
  expect(full['artifacts']).toBeGreaterThan(3 * SIGN_INS)

  await clear()
  expect(await countRows()).toEqual(full)

  const { policy } = server.config
  await advance(Math.max(...Object.values(policy.lifetimes), ...Object.values(policy.retention)) + DAY)
  await clear()
  expect(await countRows()).toEqual({
    ...baseline,
    users: PEOPLE + 1,
    credentials: PEOPLE + 1,
    consents: 1,
  })
})

test('a run takes nothing from those who are signed in, and a thief is still found out', async () => {
  const { browser, tokens } = await signUpAndIn(server, server.clients.spa, { ...OPAQUE, prompt: 'consent' })
  const { body: renewed } = await refresh(server, server.clients.spa, tokens.refresh_token)
  await advance(2 * HOUR)
  await clear()

  expect(await isSignedIn(browser, server)).toBe(true)
  const again = await refresh(server, server.clients.spa, renewed.refresh_token)
  expect([again.status, await bearer(server, again.body.access_token)]).toEqual([200, 200])
  await clear()
  const replay = await refresh(server, server.clients.spa, tokens.refresh_token)
  expect(replay).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  expect(await bearer(server, again.body.access_token)).toBe(401)
})

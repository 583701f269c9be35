// What a stranger may try at the token and authorization endpoints, at two instances on one database.
import { afterEach, expect, test } from 'vitest'
import type { LimitsConfig } from '../src/config.ts'
import { anotherNetwork, createBrowser, TRUST_LOOPBACK } from './support/browser.ts'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from './support/database.ts'
import {
  authorizationRequest,
  begin,
  codeOf,
  newEmail,
  redeem,
  register,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

const MINUTE = 60_000
const window = (points: number, per = 5 * MINUTE) => [{ points, per, block: 0 }]
const LIMITS = {
  client_failures: window(20),
  client_failures_per_ip: window(60),
  grant_failures_per_ip: window(60, MINUTE),
  tokens_per_client: window(1000, 1000),
  authorize_per_ip: window(12, MINUTE),
}
const hasServer = (await realPostgresUrl()) !== null

let testDatabase: TestDatabase | undefined
let servers: TestServer[] = []
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()))
  await testDatabase?.drop()
  servers = []
})

/** As many instances as there can be, up to two; over one issuer each of its own. */
async function startAll(limits: Partial<LimitsConfig> = {}) {
  testDatabase = await createTestDatabase()
  const secretKey = Buffer.alloc(32, 1)
  const database = await testDatabase.open()
  const options = {
    secretKey,
    settings: TRUST_LOOPBACK,
    policy: (policy: TestServer['config']['policy']) => ({
      ...policy,
      limits: { ...policy.limits, ...LIMITS, ...limits },
    }),
  }
  servers = [await startServer({ ...options, database })]
  if (hasServer) servers.push(await startServer({ ...options, database: await testDatabase.open() }))
  return servers
}

type Headers = Record<string, string>
async function post(server: TestServer, path: string, form: Record<string, string>, headers: Headers) {
  const body = new URLSearchParams(form)
  const response = await fetch(`${server.issuer}${path}`, { method: 'POST', body, headers })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text }
}

const guess = (server: TestServer, headers: Headers, more: Record<string, string> = {}) =>
  post(
    server,
    '/token',
    {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_id: 'own-web',
      client_secret: 'wrong',
      ...more,
    },
    headers,
  )
const right = (server: TestServer) => ({ client_secret: server.clients.own.client_secret })
const statuses = async (times: number, ask: (server: TestServer) => Promise<{ status: number }>) => {
  const seen: number[] = []
  for (let each = 0; each < times; each++) seen.push((await ask(servers[each % servers.length]!)).status)
  return seen
}
const count = (seen: number[], status: number) => seen.filter((each) => each === status).length

test('T107: who guesses an app’s secret is stopped at all instances, and hears no more of it', async () => {
  await startAll()
  const headers = anotherNetwork()
  const seen = await statuses(40, (server) => guess(server, headers))
  expect(count(seen, 401)).toBeGreaterThanOrEqual(20)
  expect(count(seen, 401)).toBeLessThanOrEqual(20 + servers.length)
  expect(seen.slice(-10)).toEqual(Array(10).fill(429))

  const refused = await guess(servers[0]!, headers)
  const even = await guess(servers[0]!, headers, right(servers[0]!))
  expect(JSON.parse(refused.text)).toMatchObject({ error: 'slow_down' })
  expect(even.text).toBe(refused.text)
  expect(even.status).toBe(429)
  expect(Number(even.headers.get('retry-after'))).toBeGreaterThan(200)
  expect(even.headers.get('cache-control')).toContain('no-store')
})

test('T107: as many at once are stopped as well', async () => {
  await startAll()
  const headers = anotherNetwork()
  await Promise.all(Array.from({ length: 60 }, (_, n) => guess(servers[n % servers.length]!, headers)))
  expect(await statuses(4, (server) => guess(server, headers, right(server)))).toEqual([429, 429, 429, 429])
})

test('the app itself, with its secret and from its own network, is untouched, as are other apps from there', async () => {
  await startAll()
  const headers = anotherNetwork()
  await statuses(30, (server) => guess(server, headers))
  const own = await statuses(2, (server) => guess(server, anotherNetwork(), right(server)))
  expect(own).toEqual([400, 400])
  const third = { client_id: 'third-web', client_secret: servers[0]!.clients.third.client_secret }
  expect(await statuses(2, (server) => guess(server, headers, third))).toEqual([400, 400])
})

test('neither a browser’s answer, nor another endpoint, nor another name for each try escapes the count', async () => {
  const [server] = await startAll()
  const html = { ...anotherNetwork(), accept: 'text/html' }
  expect(count(await statuses(30, (at) => guess(at, html)), 429)).toBeGreaterThan(5)

  const other = anotherNetwork()
  const wrong = { client_id: 'own-web', client_secret: 'wrong', token: 'x' }
  for (const path of ['/token/introspection', '/token/revocation'])
    await statuses(14, () => post(server!, path, wrong, other))
  expect((await guess(server!, other, right(server!))).status).toBe(429)

  const many = anotherNetwork()
  let name = 0
  const seen = await statuses(80, (at) => guess(at, many, { client_id: `app-${name++}` }))
  expect(count(seen, 401)).toBeLessThanOrEqual(60 + servers.length)
  expect((await guess(server!, many, right(server!))).status).toBe(429)
})

test('who guesses codes as a public app is stopped; an app with a secret is not shut out by what people send it', async () => {
  const [server] = await startAll({ grant_failures_per_ip: window(10, MINUTE) })
  const headers = anotherNetwork()
  const spa = { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'spa' }
  const seen = await statuses(20, (at) => post(at, '/token', spa, headers))
  expect(count(seen, 400)).toBeLessThanOrEqual(10 + servers.length)
  expect(seen.at(-1)).toBe(429)
  expect(count(await statuses(40, (at) => guess(at, headers, right(at))), 400)).toBe(40)
  expect((await post(server!, '/token', spa, anotherNetwork())).status).toBe(400)

  const ofTheApp = anotherNetwork()
  expect(count(await statuses(20, (at) => guess(at, ofTheApp, right(at))), 400)).toBe(20)
  expect((await post(server!, '/token', spa, ofTheApp)).status).toBe(400)
})

test('an app gets so many answers a second from one network and process', async () => {
  const [server] = await startAll({ tokens_per_client: window(5, 60_000) })
  const headers = anotherNetwork()
  const seen = await statuses(10, () => guess(server!, headers, right(server!)))
  expect(seen).toEqual([...Array(5).fill(400), ...Array(5).fill(429)])
  expect((await guess(server!, anotherNetwork(), right(server!))).status).toBe(400)
})

test('what succeeds is counted nowhere', async () => {
  const [server] = await startAll()
  await signUpAndIn(server!, server!.clients.own)
  const { rows } = await server!.database.pool.query('select key from rate_limits where points > 0')
  expect(rows.map(({ key }) => key.split(':')[0]).sort()).toEqual(['authorize_per_ip', 'registration_per_ip'])
})

test('strangers who keep knocking at the authorization endpoint get a page that says when to come again', async () => {
  const [server] = await startAll()
  const headers = anotherNetwork()
  const knock = (at: TestServer, cookie = '') =>
    createBrowser({ headers: { ...headers, cookie } }).get(authorizationRequest(at, at.clients.own).url)
  const seen = await statuses(20, (at) => knock(at))
  expect(seen).toEqual([...Array(12).fill(303), ...Array(8).fill(429)])

  const before = await interactions(server!)
  const refused = await knock(server!)
  expect(refused.text).toContain('too many requests')
  expect(refused.headers.get('content-type')).toContain('text/html')
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30)
  expect(refused.headers.getSetCookie()).toEqual([])
  expect((await knock(server!, 'anteroom_session=made-up; anteroom_session.sig=x')).status).toBe(429)
  expect(await interactions(server!)).toBe(before)
})

test('whoever is signed in is no stranger, and the session of nobody does not make one', async () => {
  const [server] = await startAll()
  const headers = anotherNetwork()
  const browser = createBrowser({ headers })
  const first = authorizationRequest(server!, server!.clients.own)
  const page = await register(browser, await begin(browser, first), { email: newEmail() })
  expect((await redeem(server!, server!.clients.own, { request: first, code: codeOf(page) })).status).toBe(
    200,
  )
  for (let visits = 0; visits < 20; visits++)
    codeOf(await browser.get(authorizationRequest(server!, server!.clients.own).url))

  await server!.database.pool.query(`delete from artifacts where kind = 'Session'`)
  const seen = []
  for (let visits = 0; visits < 14; visits++) {
    const again = createBrowser({ headers })
    browser.copyJarTo(again)
    seen.push((await again.get(authorizationRequest(server!, server!.clients.own).url)).status)
  }
  expect(count(seen, 429)).toBeGreaterThanOrEqual(2)
})

const interactions = async (server: TestServer) =>
  (await server.database.pool.query(`select from artifacts where kind = 'Interaction'`)).rowCount

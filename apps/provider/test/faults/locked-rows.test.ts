// F07: somebody holds the rows of one person's journey, and that person's requests pile up. Everybody else goes on.
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rowId } from '../../src/artifacts/artifact.ts'
import type { Page } from '../support/browser.ts'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from '../support/database.ts'
import { authorizationRequest, begin, codeOf, OPAQUE, register } from '../support/relying-party.ts'
import type { TestServer } from '../support/server.ts'
import { CLIENTS, type Crowd, gather, type Servers, startServers } from './support/crowd.ts'
import { extent, isFull } from './support/extent.ts'
import { describeVerdict, judge, quantile } from './support/ledger.ts'
import { browserAt } from './support/party.ts'
import { watch } from './support/prober.ts'
import { openWire, type Reply, type Wire } from './support/wire.ts'

const OTHERS = extent(8, 20)
/** Requests of the one person at once. */
const PILE = extent(100, 500)
const HELD = extent(3000, 10_000)
/** A turn, a connection, a lock, and a second. */
const PATIENCE = 2000 + 2000 + 2000 + 1000
const hasServer = (await realPostgresUrl()) !== null

describe.skipIf(!hasServer)('rows that are held (the embedded database has one connection)', () => {
  let database: TestDatabase
  let servers: Servers
  let others: Crowd
  let wire: Wire
  beforeAll(async () => {
    database = await createTestDatabase()
    servers = await startServers(1, database.url!)
    others = await gather(servers, OTHERS, () => ({ curious: 0.3 }))
    wire = openWire(servers.ports[0]!, new URL(servers.issuer).host)
  })
  afterAll(async () => {
    wire?.close()
    others?.leave()
    servers?.remove()
    await database?.drop()
  })

  test('make one person wait, and nobody else', async () => {
    const { browser, token } = await signUp()
    const consent = await begin(
      browser,
      authorizationRequest(servers as unknown as TestServer, CLIENTS.third, OPAQUE),
    )
    const prober = watch(servers.ports[0]!, '/livez')
    others.begin()
    await pause(1000)
    const release = await hold(token, consent)
    const began = Date.now()
    const pile = [
      ...Array.from({ length: PILE / 2 }, () => refresh(token)),
      ...Array.from({ length: PILE / 2 }, () => browser.submit(consent, '/consent')),
    ].map(async (asked) => ({ status: (await asked).status, after: Date.now() - began }))
    await pause(HELD)
    await release()
    const answers = await Promise.all(pile)
    await pause(500)
    await others.end()
    const alive = await prober.stop()
    const { uses } = others.ledger
    const slowest = Math.max(...answers.map(({ after }) => after))
    process.stdout.write(
      `held rows: the others: ${describeVerdict(uses)}; the one: ${count(answers)}, slowest ${slowest} ms; ` +
        `slowest /livez ${alive.slowest} ms\n`,
    )
    expect(judge(uses)).toMatchObject({ failures: [], undeserved: [], lostFamilies: [], unanswered: [] })
    const p99 = quantile(
      uses.flatMap(({ attempts }) => attempts),
      0.99,
    )
    if (isFull) expect(p99).toBeLessThan(1000)
    expect([...alive.statuses]).toEqual([200])
    expect(answers.filter(({ status }) => status !== 200 && status !== 503)).toEqual([])
    expect(slowest).toBeLessThan(PATIENCE)
  }, 60_000)

  const refresh = (token: string): Promise<Reply> =>
    wire.ask({
      path: '/token',
      form: { client_id: CLIENTS.spa.client_id, grant_type: 'refresh_token', refresh_token: token },
    })

  const count = (answers: { status: number }[]) => {
    const byStatus = Map.groupBy(answers, ({ status }) => status)
    return [...byStatus].map(([status, { length }]) => `${length} of ${status}`).join(', ')
  }

  async function signUp() {
    const browser = browserAt(servers.issuer, servers.ports[0]!)
    const server = servers as unknown as TestServer
    const request = authorizationRequest(server, CLIENTS.spa, OPAQUE)
    const code = codeOf(await register(browser, await begin(browser, request)))
    const form = {
      client_id: CLIENTS.spa.client_id,
      grant_type: 'authorization_code',
      code,
      redirect_uri: request.redirectUri,
      code_verifier: request.verifier,
    }
    const { body } = await wire.ask({ path: '/token', form })
    return { browser, token: JSON.parse(body).refresh_token as string }
  }

  /** As a transaction that was begun and left: the rows of this person's token, session, grant and journey. */
  async function hold(token: string, journey: Page): Promise<() => Promise<void>> {
    const holder = new Client({ connectionString: database.url! })
    await holder.connect()
    await holder.query('begin')
    const { rowCount } = await holder.query(
      `select from artifacts where id = $2 and kind = 'Interaction' or user_id = (
        select user_id from artifacts where kind = 'RefreshToken' and id = $1) for update`,
      [rowId('RefreshToken', token), /interaction\/([^/]+)/.exec(journey.url)?.[1]],
    )
    expect(rowCount).toBeGreaterThanOrEqual(4)
    return async () => {
      await holder.query('rollback')
      await holder.end()
    }
  }
})

// One code of an authenticator app, brought to ten pending sign-ins at two processes at once.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../src/db/database.ts'
import { meet } from './races/support/barrier.ts'
import { halfWay, newMember } from './support/account.ts'
import { appCode, enrolApp } from './support/authenticator-app.ts'
import type { Page } from './support/browser.ts'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from './support/database.ts'
import { freePort } from './support/port.ts'
import { type Place, preparePlace } from './support/process.ts'
import { CLIENTS, type TestServer } from './support/server.ts'
import { type Spread, startSpread } from './support/spread.ts'

const hasServer = (await realPostgresUrl()) !== null
const STEP = 30_000
/** As many transactions as a process has under way at once, times two processes. */
const WAITING = 8

describe.skipIf(!hasServer)('two processes (the embedded database serves one)', () => {
  let place: Place
  let testDatabase: TestDatabase
  let database: Database
  let spread: Spread
  let server: TestServer
  beforeAll(async () => {
    testDatabase = await createTestDatabase()
    database = await testDatabase.open()
    place = await preparePlace()
    server = { issuer: place.issuer, database } as TestServer
    const ports = [await freePort(), await freePort()]
    for (const port of ports) place.start({ DATABASE_URL: testDatabase.url!, PORT: String(port) })
    for (const port of ports) await place.ready(`http://localhost:${port}`)
    spread = await startSpread(place.port, ports)
  })
  afterAll(async () => {
    await spread?.close()
    place?.remove()
    await testDatabase?.drop()
  })

  const codesUsed = async (userId: string) => {
    const { rows } = await database.pool.query(
      `select counter::int from credentials where user_id = $1 and type = 'totp'`,
      [userId],
    )
    return rows[0].counter as number
  }
  const isIn = ({ status }: Page) => status === 200

  test('d: exactly one of them is signed in, and the step is used up', async () => {
    const member = await newMember(server, CLIENTS.own)
    const now = () => new Date()
    const { secret, id } = await enrolApp(server, member, (key) => appCode(key, now()))
    const pending: Awaited<ReturnType<typeof halfWay>>[] = []
    while (pending.length < 10) pending.push(await halfWay(server, member, CLIENTS.own))
    const next = new Date(Date.now() + STEP)
    const code = appCode(secret, next)
    const counts = [...spread.counts]

    const answers = await meet(
      database.pool,
      {
        at: { text: `select from credentials where user_id = $1 and type = 'totp' for update`, values: [id] },
        waiting: WAITING,
      },
      () => pending.map(({ browser, page }) => browser.submit(page, '/second/totp', { code })),
    )
    expect(answers.filter(isIn)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(9)
    expect(spread.counts.map((count, index) => count - counts[index]!)).toEqual([5, 5])
    expect(await codesUsed(id)).toBe(Math.floor(next.getTime() / STEP))
  })
})

import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from '../../test/support/database.ts'
import { findPostgresPrograms, type OwnPostgres, startPostgres } from '../../test/support/postgres.ts'
import { type Log, silentLog } from '../lib/log.ts'
import type { Database } from './database.ts'
import { APPLICATION_NAME, createNotifications, type Notifications, notify } from './notifications.ts'
import { createPool } from './pool.ts'
import { createUnitOfWork } from './unit-of-work.ts'

const SOON = { timeout: 10_000, interval: 20 }
const hasServer = (await realPostgresUrl()) !== null

const opened: Notifications[] = []
afterEach(() => {
  for (const notifications of opened.splice(0)) notifications.close()
})

function open(url: string, log: Log = silentLog): Notifications {
  const notifications = createNotifications({ connection: { connectionString: url }, greeting: [] }, log)
  opened.push(notifications)
  return notifications
}

/** Resolves when it listens; counts how often it was told to look since. */
async function hear(notifications: Notifications, topic: string) {
  const look = vi.fn()
  notifications.subscribe(topic, look)
  await vi.waitFor(() => expect(look).toHaveBeenCalled(), SOON)
  look.mockClear()
  return look
}

describe.skipIf(!hasServer)('on real PostgreSQL (the embedded one has a single backend)', () => {
  let place: TestDatabase
  let database: Database
  beforeAll(async () => {
    place = await createTestDatabase()
    database = await place.open()
  })
  afterAll(() => place?.drop())

  const listeners = async () => {
    const { rows } = await database.pool.query<{ pid: number }>(
      'select pid from pg_stat_activity where application_name = $1 and datname = current_database()',
      [APPLICATION_NAME],
    )
    return rows.map(({ pid }) => pid)
  }

  test('whoever subscribed is told of what was committed, and of nothing that was undone', async () => {
    const scope = createUnitOfWork(database)
    const notifications = open(place.url!)
    const look = await hear(notifications, 'weather')
    const lookElsewhere = await hear(notifications, 'tides')
    look.mockClear()

    const undone = scope.transaction(async () => {
      await notify(scope, 'weather')
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
    await notify(scope, 'tides')
    await vi.waitFor(() => expect(lookElsewhere).toHaveBeenCalledOnce(), SOON)
    expect(look).not.toHaveBeenCalled()

    await scope.transaction(async () => {
      await notify(scope, 'weather')
      await notify(scope, 'weather')
    })
    await vi.waitFor(() => expect(look).toHaveBeenCalledOnce(), SOON)
    expect(lookElsewhere).toHaveBeenCalledOnce()
  })

  test('a lost connection is replaced, and everybody told to look: something may have been missed', async () => {
    const look = await hear(open(place.url!), 'weather')
    await database.pool.query('select pg_terminate_backend(pid) from unnest($1::int[]) as pid', [
      await listeners(),
    ])
    await vi.waitFor(() => expect(look).toHaveBeenCalledOnce(), SOON)
    await notify(createUnitOfWork(database), 'weather')
    await vi.waitFor(() => expect(look).toHaveBeenCalledTimes(2), SOON)
  })

  test('no connection is made before somebody subscribes, and none is left when it is closed', async () => {
    await vi.waitFor(async () => expect(await listeners()).toEqual([]), SOON)
    const notifications = open(place.url!)
    expect(await listeners()).toEqual([])
    await hear(notifications, 'weather')
    await hear(notifications, 'tides')
    expect(await listeners()).toHaveLength(1)
    notifications.close()
    await vi.waitFor(async () => expect(await listeners()).toEqual([]), SOON)
  })

  test('who unsubscribed is told nothing more', async () => {
    const notifications = open(place.url!)
    const look = vi.fn()
    const unsubscribe = notifications.subscribe('weather', look)
    const lookStill = await hear(notifications, 'weather')
    unsubscribe()
    look.mockClear()
    await notify(createUnitOfWork(database), 'weather')
    await vi.waitFor(() => expect(lookStill).toHaveBeenCalledOnce(), SOON)
    expect(look).not.toHaveBeenCalled()
  })
})

describe.runIf(findPostgresPrograms())('a database that is restarted', () => {
  let postgres: OwnPostgres
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres?.remove())

  test('is listened to again, with one warning for the whole outage', async () => {
    const log = { ...silentLog, warn: vi.fn(), info: vi.fn() }
    const look = await hear(open(postgres.url, log), 'weather')
    await postgres.stop('immediate')
    await vi.waitFor(() => expect(log.warn).toHaveBeenCalledOnce(), SOON)
    await refuseConnections(new URL(postgres.url), 3)
    expect(look).not.toHaveBeenCalled()

    await postgres.start()
    await vi.waitFor(() => expect(look).toHaveBeenCalledOnce(), SOON)
    expect([log.warn.mock.calls.length, log.info.mock.calls.length]).toEqual([1, 1])

    const pool = createPool({ connection: { connectionString: postgres.url }, greeting: [] }, silentLog)
    await pool.query(`notify anteroom, 'weather'`)
    await vi.waitFor(() => expect(look).toHaveBeenCalledTimes(2), SOON)
    await pool.end()
  })

  test('and hangs is left without waiting for its goodbye', async () => {
    const notifications = open(postgres.url)
    await hear(notifications, 'weather')
    expect(sockets()).toBe(1)
    postgres.pause()
    notifications.close()
    try {
      await vi.waitFor(() => expect(sockets()).toBe(0), SOON)
    } finally {
      postgres.resume()
    }
  })
})

const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length

/** In the database's place: resolves when so many came in vain. */
async function refuseConnections({ hostname, port }: URL, count: number) {
  let refused = 0
  const server = createServer((socket) => {
    refused++
    socket.destroy()
  })
  server.listen(Number(port), hostname)
  await vi.waitFor(() => expect(refused).toBeGreaterThanOrEqual(count), SOON)
  server.close()
  await once(server, 'close')
}

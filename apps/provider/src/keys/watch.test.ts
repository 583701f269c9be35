import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { APPLICATION_NAME, noNotifications } from '../db/notifications.ts'
import { createUnitOfWork } from '../db/unit-of-work.ts'
import { HOUR, systemClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { createSealer } from '../lib/seal.ts'
import { createKeyStore, type Keyring, type KeyStore } from './store.ts'
import { watchKeyring } from './watch.ts'

const NEW: Keyring = { signing: [], cookies: [], version: 'new' }
const SOON = { timeout: 10_000, interval: 20 }
const NEVER = HOUR
const hasServer = (await realPostgresUrl()) !== null

test('a change of keys that could not be made is tried again, made once, and told once', async () => {
  const keys = { loadVersion: async () => 'new', loadKeyring: async () => NEW } as unknown as KeyStore
  const log = { ...silentLog, warn: vi.fn() }
  const made: Keyring[] = []
  let tries = 0
  const onChange = (keyring: Keyring) => {
    tries++
    if (tries < 3) throw new Error('not now')
    made.push(keyring)
  }
  const options = { keys, version: 'old', everyMs: 5, notifications: noNotifications, log, onChange }
  const watch = watchKeyring(options)
  await vi.waitFor(() => expect(made).toEqual([NEW]))
  watch.stop()
  expect([tries, log.warn.mock.calls.length]).toEqual([3, 1])
})

test('a change told while it looks is not missed', async () => {
  const { promise: firstLook, resolve: endFirstLook } = Promise.withResolvers<string>()
  const loadVersion = vi.fn().mockReturnValueOnce(firstLook).mockResolvedValue('new')
  const keys = { loadVersion, loadKeyring: async () => NEW } as unknown as KeyStore
  let tell = () => {}
  const notifications = {
    ...noNotifications,
    subscribe: (_: string, look: () => void) => {
      tell = look
      return () => {}
    },
  }
  const onChange = vi.fn()
  const options = { keys, version: 'old', everyMs: NEVER, notifications, log: silentLog, onChange }
  const watch = watchKeyring(options)
  tell()
  tell()
  endFirstLook('old')
  await vi.waitFor(() => expect(onChange).toHaveBeenCalledOnce())
  watch.stop()
  expect(loadVersion).toHaveBeenCalledTimes(2)
})

describe.skipIf(!hasServer)('a key made by one instance (the embedded database has only one)', () => {
  const sealer = createSealer([randomBytes(32)])
  const storeOn = (database: Database) =>
    createKeyStore({ scope: createUnitOfWork(database), sealer, now: systemClock })
  let place: TestDatabase
  let here: Database
  let there: Database
  beforeAll(async () => {
    place = await createTestDatabase()
    here = await place.open()
    there = await place.open()
    await storeOn(here).ensureKeys()
  })
  afterAll(() => place?.drop())

  async function watchThere({ everyMs = NEVER, notifications = there.notifications } = {}) {
    const keys = storeOn(there)
    const { version } = await keys.loadKeyring()
    const onChange = vi.fn<(keyring: Keyring) => void>()
    const watch = watchKeyring({ keys, version, everyMs, notifications, log: silentLog, onChange })
    const knows = (kid: string) =>
      vi.waitFor(() => {
        const kids = onChange.mock.lastCall?.[0].signing.map((key) => key.kid)
        expect(kids).toContain(kid)
      }, SOON)
    return { knows, stop: watch.stop }
  }

  /** Until the server says so: who listens, or nobody. */
  const untilListeners = (count: number) =>
    vi.waitFor(async () => expect(await listeners()).toHaveLength(count), SOON)
  const listeners = async () =>
    (
      await here.pool.query<{ pid: number }>(
        `select pid from pg_stat_activity
          where datname = current_database() and application_name = $1 and query = 'listen anteroom' and state = 'idle'`,
        [APPLICATION_NAME],
      )
    ).rows.map(({ pid }) => pid)

  /** Connections that are there remain whatever it says. */
  async function allowConnections(allowed: boolean) {
    const client = new Client({ connectionString: (await realPostgresUrl())! })
    await client.connect()
    const name = client.escapeIdentifier(new URL(place.url!).pathname.slice(1))
    await client.query(`alter database ${name} with allow_connections ${allowed}`)
    await client.end()
  }

  test('is felt by another at once, without looking', async () => {
    const watch = await watchThere()
    await untilListeners(1)
    await watch.knows(await storeOn(here).createKey('ES256', new Date()))
    watch.stop()
  })

  test('is felt by looking while the listening connection is gone, and told again when it is back', async () => {
    const watch = await watchThere({ everyMs: 50 })
    const deaf = await watchThere()
    await untilListeners(1)
    await allowConnections(false)
    await here.pool.query('select pg_terminate_backend(pid) from unnest($1::int[]) as pid', [
      await listeners(),
    ])
    await untilListeners(0)
    const kid = await storeOn(here).createKey('ES256', new Date())
    await watch.knows(kid)
    watch.stop()
    await allowConnections(true)
    await deaf.knows(kid)
    await deaf.knows(await storeOn(here).createKey('RS256', new Date()))
    deaf.stop()
  })
})

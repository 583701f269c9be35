import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startChild } from '../../test/support/child.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { silentLog } from '../lib/log.ts'
import { DataFolderInUse } from './data-lock.ts'
import { startEmbedded } from './embedded.ts'
import { openDatabase } from './open.ts'
import { createPool } from './pool.ts'
import { isDatabaseUnavailable } from './unavailable.ts'

const program = new URL('./test-programs/open-database.ts', import.meta.url)

let place: TestDatabase

beforeEach(async () => {
  place = await createTestDatabase('embedded')
})
afterEach(() => place.drop())

const socketFolder = () => readlinkSync(join(place.dataDir, 'socket'))

test('nobody but its owner can reach it or read its files', async () => {
  const { close } = await place.open()
  expect(statSync(socketFolder()).mode & 0o777).toBe(0o700)
  expect(statSync(join(place.dataDir, 'postgres')).mode & 0o777).toBe(0o700)
  await close()
})

test('closing it takes the socket away and frees the folder', async () => {
  const { close } = await place.open()
  const folder = socketFolder()
  expect(lstatSync(join(folder, '.s.PGSQL.5432')).isSocket()).toBe(true)
  await close()
  expect(existsSync(folder)).toBe(false)
  const again = await place.open()
  await again.close()
})

test('a second process on the same folder is refused with a sentence that helps', async () => {
  await place.open()
  const child = startChild(program, [place.dataDir])
  await child.said('waiting')
  child.say('open')
  expect(await child.said('refused')).toBe(
    `refused: DataFolderInUse: ${place.dataDir} is in use by process ${process.pid}. ` +
      'Stop it first, or give this one another DATA_DIR or a DATABASE_URL.',
  )
  expect(await child.ended).toBe(0)
  await expect(place.open()).rejects.toThrow(DataFolderInUse)
})

test('after a kill the next start removes the dead socket', async () => {
  const child = startChild(program, [place.dataDir])
  await child.said('waiting')
  child.say('open')
  await child.said('open')
  const left = socketFolder()
  await child.kill('SIGKILL')
  expect(existsSync(left)).toBe(true)
  await place.open()
  expect(existsSync(left)).toBe(false)
})

test('a folder too deep for a socket path serves as well', async () => {
  const deep = join(place.dataDir, 'deep'.repeat(20), 'deep'.repeat(20))
  mkdirSync(deep, { recursive: true })
  cpSync(join(place.dataDir, 'postgres'), join(deep, 'postgres'), { recursive: true })
  const database = await openDatabase({ dataDir: deep, log: silentLog })
  expect(await database.prisma.user.count()).toBe(0)
  await database.close()
})

test('a first start that was killed half-way is begun anew', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'anteroom-first-'))
  const child = startChild(program, [dataDir])
  await child.said('waiting')
  child.say('open')
  await expect
    .poll(() => existsSync(join(dataDir, 'postgres', 'PG_VERSION')), { timeout: 20_000, interval: 1 })
    .toBe(true)
  await child.kill('SIGKILL')
  expect(existsSync(join(dataDir, 'postgres.unfinished'))).toBe(true)

  const database = await openDatabase({ dataDir, log: silentLog })
  expect(await database.prisma.user.count()).toBe(0)
  await database.close()
  rmSync(dataDir, { recursive: true })
})

test('an engine that answers no more is replaced, and what it had acknowledged is still there', async () => {
  const { address, stop } = await startEmbedded(place.dataDir, silentLog)
  const pool = createPool(address, silentLog, 1000)
  await pool.query(`insert into users (id, email, email_canonical, updated_at) values ('a', 'a', 'a', now())`)

  const failure = await pool.query('select pg_sleep(60)').catch((error: unknown) => error)
  expect(failure).toMatchObject({ message: 'PostgreSQL has not answered for 1 s' })
  expect(isDatabaseUnavailable(failure)).toBe(true)

  const tries: unknown[] = []
  const countPeople = () =>
    pool.query('select id from users').then(
      ({ rowCount }) => rowCount,
      (error: unknown) => tries.push(error) && null,
    )
  await expect.poll(countPeople, { timeout: 20_000 }).toBe(1)
  expect(tries.filter((error) => !isDatabaseUnavailable(error))).toEqual([])
  await pool.end()
  await stop()
})

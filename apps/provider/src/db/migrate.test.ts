import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startChild } from '../../test/support/child.ts'
import { createEmptyDatabase, realPostgresUrl } from '../../test/support/database.ts'
import { silentLog } from '../lib/log.ts'
import { startEmbedded } from './embedded.ts'
import { MigrationFailed, migrate } from './migrate.ts'
import { MIGRATIONS_FOLDER, readMigrations } from './migrations.ts'
import { type Address, createPool, type Server } from './pool.ts'

const programs = new URL('./test-programs/', import.meta.url)
const hasServer = (await realPostgresUrl()) !== null

const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'anteroom-migrate-'))

async function startEmbeddedServer(): Promise<Server> {
  const dataDir = temporaryFolder()
  const { address, stop } = await startEmbedded(dataDir, silentLog)
  return { address, stop: () => stop().then(() => rmSync(dataDir, { recursive: true })) }
}

async function startRealServer(): Promise<Server> {
  const { url, drop } = await createEmptyDatabase()
  return { address: addressOf(url), stop: drop }
}

const addressOf = (url: string): Address => ({
  connection: { connectionString: url },
  greeting: ["set time zone 'UTC'"],
})

let folder: string

beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => rmSync(folder, { recursive: true }))

function writeMigration(name: string, sql: string) {
  mkdirSync(join(folder, name), { recursive: true })
  writeFileSync(join(folder, name, 'migration.sql'), sql)
}

describe.each([
  { kind: 'the embedded database', start: startEmbeddedServer, there: true },
  { kind: 'real PostgreSQL', start: startRealServer, there: hasServer },
])('on $kind', ({ start, there }) => {
  let server: Server
  let pool: Pool

  beforeAll(async () => {
    if (there) server = await start()
  }, 60_000)
  afterAll(() => server?.stop())

  beforeEach(async (context) => {
    context.skip(!there, 'there is no PostgreSQL here')
    pool = createPool(server.address, silentLog)
    await pool.query('drop schema public cascade; create schema public')
  })
  afterEach(() => pool?.end())

  const run = () => migrate(server.address, silentLog, folder)
  const history = async () =>
    (await pool.query('select migration_name, finished_at is not null as finished from _prisma_migrations'))
      .rows

  test('what the folder holds is applied once, in order, and what is added later is applied later', async () => {
    writeMigration('20260101000000_first', 'create table first (id int);')
    writeMigration('20260102000000_second', 'alter table first add column name text;')
    await run()
    writeMigration('20260103000000_third', 'alter table first rename column name to title;')
    await run()
    await run()
    expect(await history()).toEqual([
      { migration_name: '20260101000000_first', finished: true },
      { migration_name: '20260102000000_second', finished: true },
      { migration_name: '20260103000000_third', finished: true },
    ])
    expect((await pool.query('select id, title from first')).rows).toEqual([])
  })

  test('Prisma finds the checksums it would have written', async () => {
    writeMigration('20260101000000_first', 'create table first (id int);')
    await run()
    const [migration] = await readMigrations(folder)
    const { rows } = await pool.query('select checksum, applied_steps_count from _prisma_migrations')
    expect(rows).toEqual([{ checksum: migration?.checksum, applied_steps_count: 1 }])
  })

  test('semicolons in comments, texts and function bodies do not cut a script apart', async () => {
    const body = "begin if n > 0 then return 'yes; indeed'; end if; return null; end"
    writeMigration(
      '20260101000000_function',
      `-- one; two\ncreate function positive(n int) returns text language plpgsql as $$ ${body} $$;`,
    )
    await run()
    expect((await pool.query('select positive(1) as answer')).rows).toEqual([{ answer: 'yes; indeed' }])
  })

  test('a migration that fails leaves nothing behind and is applied when it is mended', async () => {
    writeMigration('20260101000000_first', 'create table first (id int);')
    writeMigration(
      '20260102000000_broken',
      'create table second (id int); insert into second values (1); select nope;',
    )
    await expect(run()).rejects.toThrow(
      new MigrationFailed(
        'Migration 20260102000000_broken failed and was undone: column "nope" does not exist',
      ),
    )
    expect(await history()).toEqual([{ migration_name: '20260101000000_first', finished: true }])
    expect((await pool.query(`select to_regclass('second') as second`)).rows).toEqual([{ second: null }])

    writeMigration('20260102000000_broken', 'create table second (id int);')
    await run()
    expect(await history()).toHaveLength(2)
  })

  test('the previous release starts on the schema of the next one', async () => {
    writeMigration('20260101000000_first', 'create table first (id int);')
    writeMigration('20990101000000_future', 'create table future (id int);')
    await run()
    rmSync(join(folder, '20990101000000_future'), { recursive: true })
    await run()
    expect(await history()).toHaveLength(2)
  })

  test('a script that was changed after it was applied is refused by name', async () => {
    writeMigration('20260101000000_first', 'create table first (id int);')
    await run()
    writeMigration('20260101000000_first', 'create table first (id bigint);')
    await expect(run()).rejects.toThrow(/20260101000000_first was changed/)
  })

  test('a migration another program left half-way is refused by name', async () => {
    writeMigration('20260101000000_first', 'create table first (id int);')
    await run()
    await pool.query('update _prisma_migrations set finished_at = null')
    await expect(run()).rejects.toThrow(/20260101000000_first was begun .* never finished/)
    await pool.query('update _prisma_migrations set rolled_back_at = now(); drop table first')
    await run()
    expect(await history()).toHaveLength(2)
  })

  test('a database that is up to date does not load the engine', async () => {
    writeMigration('20260101000000_first', 'create table first (id int);')
    const runElsewhere = () =>
      startChild(new URL('migrate.ts', programs), [JSON.stringify(server.address), folder])
    expect(await runElsewhere().said('engine')).toBe('engine loaded 1 times')
    expect(await runElsewhere().said('engine')).toBe('engine loaded 0 times')
  })
})

describe.skipIf(!hasServer)('several processes on one PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof createEmptyDatabase>>

  beforeEach(async () => {
    database = await createEmptyDatabase()
  })
  afterEach(() => database.drop())

  test('three that start at once on an empty database all succeed', async () => {
    const starters = [1, 2, 3].map(() =>
      startChild(new URL('open-database.ts', programs), [folder, database.url]),
    )
    await Promise.all(starters.map((starter) => starter.said('waiting')))
    for (const starter of starters) starter.say('open')
    expect(await Promise.all(starters.map((starter) => starter.said(/open|refused/)))).toEqual([
      'open',
      'open',
      'open',
    ])
    for (const starter of starters) starter.say('close')
    expect(await Promise.all(starters.map((starter) => starter.ended))).toEqual([0, 0, 0])

    const pool = createPool(addressOf(database.url), silentLog)
    const { rows } = await pool.query('select migration_name as name from _prisma_migrations order by 1')
    await pool.end()
    const names = (await readMigrations(MIGRATIONS_FOLDER)).map(({ name }) => name)
    expect(rows.map(({ name }) => name)).toEqual(names)
  }, 30_000)

  test('one that is killed in the middle of a migration leaves nothing behind', async () => {
    const address = addressOf(database.url)
    const pool = createPool(address, silentLog)
    const gate = await pool.connect()
    await gate.query('select pg_advisory_lock(42)')
    const waitAtGate = 'set local lock_timeout = 0; select pg_advisory_xact_lock(42);'
    writeMigration(
      '20260101000000_gated',
      `create table half (id int); ${waitAtGate} create table whole (id int);`,
    )

    const child = startChild(new URL('migrate.ts', programs), [JSON.stringify(address), folder])
    const isAtGate = async () =>
      (await pool.query(`select from pg_locks where locktype = 'advisory' and objid = 42 and not granted`))
        .rowCount
    await expect.poll(isAtGate, { timeout: 10_000 }).toBe(1)
    await child.kill('SIGKILL')
    await gate.query('select pg_advisory_unlock(42)')
    gate.release()

    await migrate(address, silentLog, folder)
    const { rows } = await pool.query(
      'select migration_name as name, finished_at is not null as ok from _prisma_migrations',
    )
    expect(rows).toEqual([{ name: '20260101000000_gated', ok: true }])
    await pool.end()
  }, 30_000)
})

// A database of its own for every test: a copy of one that was migrated once, so that hundreds cost little.
import { createHash, randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import type { Database } from '../../src/db/database.ts'
import { MIGRATIONS_FOLDER, readMigrations } from '../../src/db/migrations.ts'
import { openDatabase } from '../../src/db/open.ts'
import { silentLog } from '../../src/lib/log.ts'

export type TestDatabase = {
  /** Absent on the embedded database. */
  url?: string
  dataDir: string
  /** As `main.ts` would open it; on real PostgreSQL as often as one likes. */
  open(): Promise<Database>
  /** Closes what was opened and leaves nothing behind. */
  drop(): Promise<void>
}

/** On real PostgreSQL where there is one (see `realPostgresUrl`), else, or when asked for, on the embedded one. */
export async function createTestDatabase(kind: 'any' | 'embedded' = 'any'): Promise<TestDatabase> {
  const server = kind === 'any' ? await realPostgresUrl() : null
  const copy = server ? await copyOnServer(server) : await copyEmbedded()
  const opened: Database[] = []
  return {
    url: copy.url,
    dataDir: copy.dataDir,
    async open() {
      const database = await openDatabase({ url: copy.url, dataDir: copy.dataDir, log: silentLog })
      opened.push(database)
      return database
    },
    async drop() {
      await Promise.all(opened.map((database) => database.close()))
      await copy.remove()
      rmSync(copy.dataDir, { recursive: true, force: true })
    },
  }
}

/**
 * A server on which we may create databases, or null: DATABASE_URL, else a local one without a password.
 * ANTEROOM_TEST_DATABASE=embedded makes everybody believe there is none.
 *
 * @throws when DATABASE_URL is set and of no use
 */
export function realPostgresUrl(): Promise<string | null> {
  found ??= findServer()
  return found
}

let found: Promise<string | null> | undefined

async function findServer(): Promise<string | null> {
  if (process.env['ANTEROOM_TEST_DATABASE'] === 'embedded') return null
  const given = process.env['DATABASE_URL']
  if (given) {
    if (await mayCreateDatabases(given)) return given
    throw new Error(
      'The role of DATABASE_URL may not create databases, or its server is older than PostgreSQL 15.',
    )
  }
  for (const url of localServers()) {
    if (await mayCreateDatabases(url).catch(() => false)) return url
  }
  return null
}

function localServers(): string[] {
  const users = [userInfo().username, 'postgres']
  return users.flatMap((user) => [
    `postgresql://${user}@localhost/postgres?host=/var/run/postgresql`,
    `postgresql://${user}@127.0.0.1:5432/postgres`,
  ])
}

const OLDEST_SUPPORTED = 150_000

async function mayCreateDatabases(url: string): Promise<boolean> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ able: boolean }>(
      `select (rolcreatedb or rolsuper) and current_setting('server_version_num')::int >= $1 as able
         from pg_roles where rolname = current_user`,
      [OLDEST_SUPPORTED],
    )
    return rows[0]?.able ?? false
  })
}

/** Without a single table. `realPostgresUrl` must have found a server. */
export async function createEmptyDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const server = await realPostgresUrl()
  if (!server) throw new Error('there is no PostgreSQL to make a database on')
  return createOn(server, 'template0')
}

async function createOn(server: string, origin: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `anteroom_test_${randomBytes(6).toString('hex')}`
  await withClient(server, (client) => client.query(`create database ${name} template ${origin}`))
  return {
    url: databaseOn(server, name),
    async drop() {
      await withClient(server, (client) => client.query(`drop database if exists ${name} with (force)`))
    },
  }
}

type Copy = { url?: string; dataDir: string; remove(): Promise<void> }

async function copyOnServer(server: string): Promise<Copy> {
  const { url, drop } = await createOn(server, await ensureTemplate(server))
  return { url, dataDir: temporaryFolder(), remove: drop }
}

let template: Promise<string> | undefined

/** Made once per state of the migrations, whichever test process comes first. */
function ensureTemplate(server: string): Promise<string> {
  template ??= fingerprint().then(async (hash) => {
    const name = `anteroom_template_${hash}`
    await withClient(server, async (client) => {
      await client.query(`select pg_advisory_lock(hashtext('anteroom test template'))`)
      const { rowCount } = await client.query('select from pg_database where datname = $1', [name])
      if (rowCount === 0) await makeTemplate(client, server, name)
    })
    return name
  })
  return template
}

/** It gets its name only when it is complete. */
async function makeTemplate(client: Client, server: string, name: string) {
  const unfinished = `${name}_unfinished`
  await client.query(`drop database if exists ${unfinished} with (force)`)
  await client.query(`create database ${unfinished}`)
  const dataDir = tmpdir()
  const database = await openDatabase({ url: databaseOn(server, unfinished), dataDir, log: silentLog })
  await database.close()
  await client.query(`alter database ${unfinished} rename to ${name}`)
}

async function copyEmbedded(): Promise<Copy> {
  const dataDir = temporaryFolder()
  cpSync(await ensureEmbeddedTemplate(), dataDir, { recursive: true })
  return { dataDir, remove: async () => {} }
}

let embeddedTemplate: Promise<string> | undefined

function ensureEmbeddedTemplate(): Promise<string> {
  embeddedTemplate ??= fingerprint().then(async (hash) => {
    const folder = join(tmpdir(), `anteroom-template-${userInfo().uid}-${hash}`)
    if (!existsSync(folder)) await makeEmbeddedTemplate(folder)
    return folder
  })
  return embeddedTemplate
}

async function makeEmbeddedTemplate(folder: string) {
  const dataDir = temporaryFolder()
  const database = await openDatabase({ dataDir, log: silentLog })
  await database.close()
  try {
    renameSync(dataDir, folder)
  } catch (error) {
    // Another test process was faster.
    rmSync(dataDir, { recursive: true })
    if (!existsSync(folder)) throw error
  }
}

async function fingerprint(): Promise<string> {
  const migrations = await readMigrations(MIGRATIONS_FOLDER)
  const text = migrations.map(({ name, checksum }) => name + checksum).join()
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.end().catch(() => {})
  }
}

function databaseOn(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

const temporaryFolder = () => mkdtempSync(join(tmpdir(), 'anteroom-test-'))

// Brings the database up to the schema of this version, forward only, before anything else uses it.
import { PrismaPg } from '@prisma/adapter-pg'
import type { Pool } from 'pg'
import type { Log } from '../lib/log.ts'
import {
  type AppliedMigration,
  MIGRATIONS_FOLDER,
  type Migration,
  readHistory,
  readMigrations,
  toMigrationList,
} from './migrations.ts'
import { type Address, createPatientConnection } from './pool.ts'
import { EVERYTHING, startSchemaEngine } from './schema-engine.ts'

/** The database cannot be brought to this version's schema. The message says what to do. */
export class MigrationFailed extends Error {
  override readonly name = 'MigrationFailed'
}

/** The number under which Prisma's own engines lock a database: `prisma migrate deploy` and we take turns. */
const PRISMA_LOCK = 72707369

/** Another process may be rebuilding a large table. */
const TURN_WAIT = '10min'

/** Less than the pools wait: what queues behind a migration that waits for a table does not fail before it does. */
const TABLE_WAIT = '1s'

/**
 * Applies what is missing, each migration in a transaction of its own: all of it, its row in _prisma_migrations
 * included, or nothing. Processes that start together take turns; the later ones find the work done.
 * A database that is up to date costs one connection and two reads; the engine is not even loaded.
 *
 * @throws MigrationFailed
 */
export async function migrate(address: Address, log: Log, folder = MIGRATIONS_FOLDER): Promise<void> {
  const migrations = await readMigrations(folder)
  const connection = createPatientConnection(address, log)
  try {
    const history = await readHistory(connection)
    tellOfNewer(migrations, history, log)
    if (findPending(migrations, history).length === 0) return
    await takeTurn(connection)
    const pending = findPending(migrations, await readHistory(connection))
    if (pending.length === 0) return
    const apply = await startApplying(connection, migrations)
    for (const migration of pending) {
      await apply(migration)
      log.info({ migration: migration.name }, 'migration applied')
    }
  } finally {
    await connection.end()
  }
}

/**
 * Migrations expand first and contract a release later, so the previous release runs on the next one's schema:
 * it may restart while an upgrade is rolled out, or be gone back to.
 */
function tellOfNewer(migrations: Migration[], history: AppliedMigration[], log: Log) {
  const ours = new Set(migrations.map(({ name }) => name))
  const newer = history.map(({ name }) => name).filter((name) => !ours.has(name))
  if (newer.length) log.warn({ migrations: newer }, 'the database belongs to a newer version of Anteroom')
}

/**
 * What this database still lacks, oldest first.
 *
 * @throws MigrationFailed when it has a past that is not ours
 */
export function findPending(migrations: Migration[], history: AppliedMigration[]): Migration[] {
  const ours = new Map(migrations.map((migration) => [migration.name, migration]))
  for (const { name, checksum, finished } of history) {
    const migration = ours.get(name)
    if (!finished) throw new MigrationFailed(unfinished(name))
    if (migration && migration.checksum !== checksum) throw new MigrationFailed(changed(name))
  }
  const done = new Set(history.map(({ name }) => name))
  return migrations.filter(({ name }) => !done.has(name))
}

const unfinished = (name: string) =>
  `Migration ${name} was begun on this database by another program and never finished. The column "logs" of its row ` +
  'in _prisma_migrations says why. Repair the database or restore a backup, then `prisma migrate resolve` it.'

const changed = (name: string) =>
  `Migration ${name} was changed after this database had it. Bring back the script as it was; ` +
  'on a development machine you may remove DATA_DIR instead and begin with an empty database.'

/** Held until the connection ends. */
async function takeTurn(connection: Pool) {
  await connection.query(`set lock_timeout = '${TURN_WAIT}'`)
  await connection.query('select pg_advisory_lock($1)', [PRISMA_LOCK])
  await connection.query(`set lock_timeout = '${TABLE_WAIT}'`)
}

async function startApplying(connection: Pool, migrations: Migration[]) {
  const adapter = new ScriptAdapter(connection)
  const engine = await startSchemaEngine(adapter)
  return async (migration: Migration) => {
    // The engine applies whatever is missing: it is shown the migrations up to this one.
    const known = migrations.slice(0, migrations.indexOf(migration) + 1)
    try {
      await connection.query('begin')
      await engine.applyMigrations({ migrationsList: toMigrationList(known), filters: EVERYTHING })
      await connection.query('commit')
    } catch (error) {
      const cause = adapter.failure ?? error
      throw new MigrationFailed(`Migration ${migration.name} failed and was undone: ${messageOf(cause)}`, {
        cause,
      })
    }
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/**
 * Prisma's adapter cuts a script at every semicolon, those in comments, texts and function bodies included, and the
 * engine passes on only part of what PostgreSQL says of a failure. This one sends the script whole and remembers.
 */
class ScriptAdapter extends PrismaPg {
  failure: unknown
  readonly #connection: Pool

  constructor(connection: Pool) {
    super(connection)
    this.#connection = connection
  }

  override async connect() {
    const adapter = await super.connect()
    adapter.executeScript = async (script) => {
      try {
        await this.#connection.query(script)
      } catch (error) {
        this.failure = error
        throw error
      }
    }
    return adapter
  }
}

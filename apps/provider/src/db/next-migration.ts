// For development: the next migration, written from the schema.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SchemaContainer } from '@prisma/schema-engine-wasm'
import { LOCK_FILE, MIGRATIONS_FOLDER, readMigrations } from './migrations.ts'
import { readSchema, type Scratch } from './schema-diff.ts'

/** Lower-case words joined by underscores. */
export const isMigrationName = (name: string): boolean =>
  /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name) && name.length <= 60

type Sources = { scratch: Scratch; folder?: string; schema?: SchemaContainer[]; now?: Date }

/** Writes what the schema asks for beyond the migrations there are. Path of the script; null when there is nothing to do. */
export async function writeNextMigration(name: string, sources: Sources): Promise<string | null> {
  const { scratch, folder = MIGRATIONS_FOLDER, schema = await readSchema(), now = new Date() } = sources
  mkdirSync(folder, { recursive: true })
  const sql = await scratch.diff(await readMigrations(folder), schema)
  if (sql === '') return null

  const migration = join(folder, `${timestamp(now)}_${name}`)
  mkdirSync(migration)
  writeFileSync(join(migration, 'migration.sql'), sql)
  const lockFile = join(folder, 'migration_lock.toml')
  if (!existsSync(lockFile)) writeFileSync(lockFile, LOCK_FILE)
  return join(migration, 'migration.sql')
}

/** UTC, to the second, as Prisma writes it: 20261122160000. */
const timestamp = (now: Date) => now.toISOString().replace(/\D/g, '').slice(0, 14)

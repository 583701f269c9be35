// The folder prisma/migrations and the table _prisma_migrations: what should have been done, and what was.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MigrationList } from '@prisma/schema-engine-wasm'
import type { Pool } from 'pg'

export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../../../prisma/migrations', import.meta.url))

/** What Prisma writes to migration_lock.toml: the dialect of all migrations. */
export const LOCK_FILE =
  '# Prisma reads here which database the migrations are for.\nprovider = "postgresql"\n'

/** `name` is the folder's, such as `20261122160000_init`; `checksum` is SHA-256 of the script, as Prisma keeps it. */
export type Migration = { name: string; sql: string; checksum: string }

/** A row of _prisma_migrations. */
export type AppliedMigration = { name: string; checksum: string; finished: boolean }

/** Oldest first. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

/** What the database remembers, oldest first; nothing when it is new. Migrations that were rolled back do not count. */
export async function readHistory(pool: Pool): Promise<AppliedMigration[]> {
  const { rows } = await pool.query<{ there: boolean }>(
    `select to_regclass('_prisma_migrations') is not null as there`,
  )
  if (!rows[0]?.there) return []
  const history = await pool.query<AppliedMigration>(
    `select migration_name as name, checksum, finished_at is not null as finished
       from _prisma_migrations where rolled_back_at is null order by started_at, migration_name`,
  )
  return history.rows
}

/** The shape in which Prisma's engine takes migrations. */
export function toMigrationList(migrations: Migration[]): MigrationList {
  return {
    baseDir: MIGRATIONS_FOLDER,
    lockfile: { path: 'migration_lock.toml', content: LOCK_FILE },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  }
}

// For development: what the schema says that the migrations do not do yet.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import type { SchemaContainer } from '@prisma/schema-engine-wasm'
import { PrismaPGlite } from 'pglite-prisma-adapter'
import { type Migration, toMigrationList } from './migrations.ts'
import { EVERYTHING, startSchemaEngine } from './schema-engine.ts'

export const SCHEMA_FOLDER = fileURLToPath(new URL('../../../../prisma', import.meta.url))

/** All `.prisma` files of the folder, as Prisma reads them. */
export async function readSchema(folder = SCHEMA_FOLDER): Promise<SchemaContainer[]> {
  const names = await readdir(folder, { recursive: true })
  return Promise.all(
    names
      .filter((name) => name.endsWith('.prisma'))
      .sort()
      .map(async (path) => ({ path, content: await readFile(join(folder, path), 'utf8') })),
  )
}

/** An empty PostgreSQL in memory on which migrations are tried, so that no server is needed. */
export type Scratch = {
  /**
   * SQL that leads from the migrations to the schema; empty when they agree.
   *
   * @throws when the schema or a migration is wrong
   */
  diff(migrations: Migration[], schema: SchemaContainer[]): Promise<string>
  close(): Promise<void>
}

export async function openScratch(): Promise<Scratch> {
  const database = await PGlite.create()
  const engine = await startSchemaEngine(new ScratchAdapter(database))
  return {
    async diff(migrations, files) {
      const { exitCode, stdout } = await engine.diff({
        from: { tag: 'migrations', ...toMigrationList(migrations) },
        to: { tag: 'schemaDatamodel', files },
        script: true,
        exitCode: true,
        filters: EVERYTHING,
      })
      return exitCode === 0 ? '' : (stdout ?? '')
    },
    close: () => database.close(),
  }
}

/** The adapter would start a second PostgreSQL for the engine to try things on, and does not wait for scripts. */
class ScratchAdapter extends PrismaPGlite {
  readonly #scratch: PGlite

  constructor(scratch: PGlite) {
    // It was compiled against an older PGlite, of which it uses nothing that has changed.
    super(scratch as unknown as ConstructorParameters<typeof PrismaPGlite>[0])
    this.#scratch = scratch
  }

  override async connectToShadowDb() {
    await this.#scratch.exec('drop schema public cascade; create schema public')
    const adapter = await this.connect()
    adapter.executeScript = async (script) => {
      await this.#scratch.exec(script)
    }
    return adapter
  }
}

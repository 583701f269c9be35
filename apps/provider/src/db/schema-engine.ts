// Prisma's schema engine as WebAssembly: an npm package like any other, no native program to download.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils'
import type { SchemaEngine } from '@prisma/schema-engine-wasm'

const GLUE = '@prisma/schema-engine-wasm/schema_engine_bg'

/** We describe the whole database; nothing in it belongs to others. */
export const EVERYTHING = { externalTables: [], externalEnums: [] }

/** The engine, working on the database the adapter reaches. */
export async function startSchemaEngine(
  adapter: SqlMigrationAwareDriverAdapterFactory,
): Promise<SchemaEngine> {
  const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg')
  loaded ??= load(glue)
  await loaded
  return glue.SchemaEngine.new(
    { datamodels: undefined },
    ignoreLog,
    bindMigrationAwareSqlAdapterFactory(adapter),
  )
}

/** The glue keeps one instance for the whole process, so it is made once. */
let loaded: Promise<void> | undefined

/** The one function of it used here; TypeScript knows WebAssembly in browsers only. */
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: Record<string, object>,
  ): Promise<{ instance: { exports: Record<string, unknown> } }>
}

/** By hand, because Node still warns of importing WebAssembly as a module. */
async function load(glue: typeof import('@prisma/schema-engine-wasm/schema_engine_bg')) {
  const wasm = createRequire(import.meta.url)
    .resolve(GLUE)
    .replace(/\.js$/, '.wasm')
  const imports = { './schema_engine_bg.js': withoutHolding(glue) }
  const { instance } = await WebAssembly.instantiate(await readFile(wasm), imports)
  glue.__wbg_set_wasm(instance.exports)
  const start = instance.exports['__wbindgen_start'] as () => void
  start()
}

/** The engine gives a lock 10 s and leaves the timer behind: it must not keep a process alive that has ended its work. */
const withoutHolding = (glue: object) =>
  Object.fromEntries(
    Object.entries(glue).map(([name, call]) => [
      name,
      name.startsWith('__wbg_setTimeout_') ? unrefTimer(call) : call,
    ]),
  )

const unrefTimer =
  (setTimer: typeof setTimeout) =>
  (...args: Parameters<typeof setTimeout>) =>
    setTimer(...args).unref()

/** What it has to say reaches us as results and errors. */
function ignoreLog() {}

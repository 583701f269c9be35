import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startChild } from '../../test/support/child.ts'
import { MIGRATIONS_FOLDER, readMigrations } from './migrations.ts'
import { isMigrationName, writeNextMigration } from './next-migration.ts'
import { openScratch, readSchema, type Scratch } from './schema-diff.ts'

const schemaWith = (fields: string) => [
  {
    path: 'schema.prisma',
    content: `datasource db {\n provider = "postgresql"\n}\nmodel Pet {\n id Int @id\n ${fields}\n}`,
  },
]

let folder: string
let scratch: Scratch

beforeAll(async () => {
  scratch = await openScratch()
})
afterAll(() => scratch.close())

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anteroom-next-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('the migrations do exactly what the schema asks for; a changed model shows', async () => {
  const migrations = await readMigrations(MIGRATIONS_FOLDER)
  const schema = await readSchema()
  expect(await scratch.diff(migrations, schema)).toBe('')

  const changed = schema.map(({ path, content }) => ({
    path,
    content: content.replace(/^model User \{$/m, 'model User {\n  nickname String?'),
  }))
  expect(await scratch.diff(migrations, changed)).toContain(
    'ALTER TABLE "users" ADD COLUMN     "nickname" TEXT',
  )
})

test('the next migration holds the difference, and then there is nothing left to write', async () => {
  const first = await writeNextMigration('init', {
    scratch,
    folder,
    schema: schemaWith('name String'),
    now: new Date(Date.UTC(2026, 10, 22, 16)),
  })
  expect(first).toBe(join(folder, '20261122160000_init', 'migration.sql'))
  expect(readFileSync(join(folder, 'migration_lock.toml'), 'utf8')).toContain('provider = "postgresql"')

  const wider = schemaWith('name String\n born DateTime?')
  const second = await writeNextMigration('add_birthday', { scratch, folder, schema: wider })
  expect(readFileSync(second ?? '', 'utf8')).toContain('ALTER TABLE "Pet" ADD COLUMN     "born" TIMESTAMP(3)')
  expect(await writeNextMigration('again', { scratch, folder, schema: wider })).toBeNull()
})

test('a migration that PostgreSQL refuses stops the writing of the next', async () => {
  const broken = { name: '20260101000000_broken', sql: 'create table pet (id nonsense);', checksum: '' }
  await expect(scratch.diff([broken], schemaWith('name String'))).rejects.toThrow(/20260101000000_broken/)
})

test.each(['add_pairwise_subjects', 'init', 'v2'])('%s is a name for a migration', (name) => {
  expect(isMigrationName(name)).toBe(true)
})

test.each(['', 'Add', 'add pairwise', '../up', '2fa', 'a__b', 'a'.repeat(61)])('"%s" is none', (name) => {
  expect(isMigrationName(name)).toBe(false)
})

test('a developer who gives a bad name is told how the command is used', async () => {
  const child = startChild(new URL('./new-migration.ts', import.meta.url), ['Bad Name'])
  expect(await child.said('usage')).toContain('npm run migration -- <name>')
  expect(await child.ended).toBe(2)
})

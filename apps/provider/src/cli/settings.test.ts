import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { settingsTable } from './settings.ts'

test('the README lists every setting as the schema declares it', () => {
  const readme = readFileSync(path.resolve(import.meta.dirname, '../../../../README.md'), 'utf8')
  const [, table] = /<!-- settings: [^>]+-->\n([\s\S]+?)<!-- \/settings -->/.exec(readme) ?? []
  expect(table).toBe(settingsTable())
})

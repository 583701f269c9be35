import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { factorsTable } from '../policy/table.ts'
import { presetsTable } from './factors.ts'

function tableOf(page: string): string | undefined {
  const text = readFileSync(path.resolve(import.meta.dirname, '../../../../docs', page), 'utf8')
  return /<!-- factors: [^>]+-->\n([\s\S]+?)<!-- \/factors -->/.exec(text)?.[1]
}

test('the page about factors tells what the rules say', () =>
  expect(tableOf('factors.md')).toBe(factorsTable()))

test('the decision about factors tells what each preset says', () =>
  expect(tableOf('decisions/016-factors.md')).toBe(presetsTable()))

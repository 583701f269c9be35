// The house's law, read from apps/provider/src/README.md: imports only go down.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const src = path.resolve(import.meta.dirname, '../src')

/** Room → floor, from the first table of the README. */
function readFloors(): Map<string, number> {
  const table = readFileSync(path.join(src, 'README.md'), 'utf8')
  const floors = new Map<string, number>()
  for (const [, floor, rooms] of table.matchAll(/^\| (\d) \w+ \| ([^|]+) \|/gm)) {
    for (const [, room] of rooms!.matchAll(/`([^`/]+)\/?`/g)) floors.set(room!, Number(floor))
  }
  return floors
}

const floors = readFloors()
const roomOf = (file: string) => path.relative(src, file).split(path.sep)[0]!
const isSource = (file: string) =>
  file.endsWith('.ts') && !/\.test\.ts$/.test(file) && !file.includes('generated')
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(isSource)

type Read = (file: string) => string
const readSource: Read = (file) => readFileSync(path.join(src, file), 'utf8')

function findViolations(read: Read = readSource): string[] {
  return sources.flatMap((file) => [...climbs(file, read(file)), ...strangers(file, read(file))])
}

function climbs(file: string, text: string): string[] {
  const room = roomOf(path.join(src, file))
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)]
    .map(([, target]) => roomOf(path.resolve(src, path.dirname(file), target!)))
    .filter((to) => to !== room && !mayImport(room, to))
    .map((to) => `${file} -> ${to}`)
}

/** The roof and the ground are one space each; on the floors between, sideways is as wrong as up. */
function mayImport(from: string, to: string): boolean {
  const [above, below] = [floors.get(from), floors.get(to)]
  if (above === undefined || below === undefined) return false
  return below < above || (above === below && (above === 0 || above === 4))
}

/** Libraries that belong to certain rooms alone. */
function strangers(file: string, text: string): string[] {
  const knowsKoa = /from '(koa|@koa\/router)'/.test(text)
  const mayKnowKoa =
    /(^|[/.])routes\.ts$/.test(file) || ['http', 'oidc', 'app.ts'].includes(roomOf(path.join(src, file)))
  const knowsDatabase = /from 'pg'|generated\/client/.test(text)
  const mayKnowDatabase = /(^|[/.])store\.ts$/.test(file) || roomOf(path.join(src, file)) === 'db'
  return [
    ...(knowsKoa && !mayKnowKoa ? [`${file} knows Koa`] : []),
    ...(knowsDatabase && !mayKnowDatabase ? [`${file} knows the database`] : []),
  ]
}

test('imports only go down the stairs', () => expect(findViolations()).toEqual([]))

test('every room has a floor', () => {
  const rooms = readdirSync(src).filter((name) => name !== 'README.md' && !name.endsWith('.test.ts'))
  expect(rooms.filter((room) => !floors.has(room))).toEqual([])
})

test('the table and the house agree', () => {
  const rooms = new Set(readdirSync(src))
  expect([...floors.keys()].filter((room) => !rooms.has(room))).toEqual([])
})

test('the law bites: an import that climbs, one that goes sideways, a store that knows Koa', () => {
  const bend = (bent: string, line: string) =>
    findViolations((file) => readSource(file) + (file === bent ? `\n${line}` : ''))
  expect(bend('users/store.ts', "import { x } from '../interaction/sign-in.ts'")).toEqual([
    'users/store.ts -> interaction',
  ])
  expect(bend('users/store.ts', "import { x } from '../clients/store.ts'")).toEqual([
    'users/store.ts -> clients',
  ])
  expect(bend('users/store.ts', "import type { Context } from 'koa'")).toEqual(['users/store.ts knows Koa'])
  expect(bend('methods/method.ts', "import { Pool } from 'pg'")).toEqual([
    'methods/method.ts knows the database',
  ])
})

// How PostgreSQL goes about our statements: along an index to the rows that are named, in a table of any age and size.
import type { PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { countUnits, type Statement, sentDuring } from '../../test/support/statements.ts'
import { createAuditLog } from '../audit/store.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork } from '../db/unit-of-work.ts'
import { createUserStore } from '../users/store.ts'
import { type ArtifactStore, createArtifactStore } from './store.ts'

const ROWS = 200_000
/** What one statement about a few rows may read; the whole table has thousands of blocks. */
const FEW_BLOCKS = 300
const HOUR = 3600

let place: TestDatabase
let database: Database
/** One connection as `db/pool.ts` makes them; it keeps the plans it made when the table was young. */
let connection: PoolClient
let statements: Statement[]

beforeAll(async () => {
  place = await createTestDatabase()
  database = await place.open()
  statements = await collectStatements()
  await database.pool.query('truncate artifacts, audit_events, users cascade')
  connection = await database.pool.connect()
  for (const statement of statements) await withoutTrace(() => connection.query(statement))
})
afterAll(async () => {
  connection.release()
  await place.drop()
})

/** Every statement the store has, by itself and with all the others in one. */
async function collectStatements(): Promise<Statement[]> {
  const work = createUnitOfWork(database)
  const now = () => new Date()
  const store = createArtifactStore(database.pool, work, createUserStore(work, now).companion)
  const record = () =>
    createAuditLog(work, now).record({ type: 'user.registered', userId: 'u', method: 'password' })
  const lost = () => Promise.reject(new Error('lost'))
  const writes = [
    () => save(store, 'AccessToken', 'new'),
    () => store.consume('RefreshToken', 'r', lost, 'next'),
    () => store.end('Interaction', 'i', lost),
    () => store.destroy('Session', 's'),
    () => store.revokeByGrantId('another'),
  ]
  const together = (unit: (() => Promise<unknown>)[]) =>
    work.run(async () => {
      for (const write of unit) await write()
    })
  const sent = await sentDuring(database.pool, async () => {
    for (const [kind, id] of [
      ['RefreshToken', 'r'],
      ['Interaction', 'i'],
    ] as const)
      await save(store, kind, id)
    await store.find('AccessToken', 'a')
    await store.findSessionByUid('u')
    await store.findDeviceByUserCode('c')
    await store.claim({ kind: 'ReplayDetection', id: 'j', payload: {}, lifetime: HOUR })
    for (const write of writes) await work.run(write)
    for (const [kind, id] of [
      ['RefreshToken', 'r'],
      ['Interaction', 'i'],
    ] as const) {
      await store.destroy(kind, id)
      await save(store, kind, id)
    }
    // A unit of each kind: all that may, in one statement.
    await Promise.all([record, ...writes].map((write) => together([write])))
    await together([record, writes[0]!, writes[1]!])
  })
  return [...new Map(sent.map((statement) => [statement.name, statement])).values()]
}

const save = (store: ArtifactStore, kind: string, id: string) =>
  store.upsert({ kind, id, payload: { grantId: 'g', accountId: 'u' }, lifetime: HOUR })

async function withoutTrace<T>(ask: () => Promise<T>): Promise<T> {
  await connection.query('begin')
  try {
    return await ask()
  } finally {
    await connection.query('rollback')
  }
}

async function fill() {
  // However busy the machine is: it is the plans that are looked at.
  await connection.query('set statement_timeout = 0')
  await connection.query(
    `insert into artifacts (kind, id, grant_id, user_id, uid, user_code, grant_ids, payload, expires_at)
      select (array['AccessToken', 'RefreshToken', 'Session', 'Grant', 'DeviceCode', 'Interaction'])[1 + n % 6],
        md5(n::text), 'grant ' || n / 10, 'user ' || n / 100, 'uid ' || n, 'code ' || n, array['grant ' || n / 10],
        '{"jti":"x"}', now() + n * interval '1 s'
      from generate_series(1, $1::int) as n`,
    [ROWS],
  )
  await connection.query(
    `insert into users (id, email, email_canonical, updated_at)
      select 'user ' || n, n, n, now() from generate_series(1, $1::int) as n`,
    [ROWS / 100],
  )
}

type Plan = {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Index Cond'?: string
  Plans?: Plan[]
} & {
  'Shared Hit Blocks'?: number
  'Shared Read Blocks'?: number
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]

/** The statement as this connection has prepared it, on values as it had. */
async function explain({ name, values }: Statement, how: string): Promise<Plan[]> {
  const given = values.map((value) =>
    Array.isArray(value)
      ? `array[${value.map((each) => connection.escapeLiteral(String(each))).join()}]::text[]`
      : connection.escapeLiteral(String(value)),
  )
  const { rows } = await withoutTrace(() =>
    connection.query(
      `explain (format json${how}) execute "${name}"${given.length ? `(${given.join()})` : ''}`,
    ),
  )
  return nodesOf(rows[0]['QUERY PLAN'][0].Plan)
}

const OURS = /^(artifacts|users)/
/** A look into an index for certain rows: by their id, or by what else they are known by. */
const POINTED = /\b(id|grant_id|uid|user_code)\b\)? = /

function expectPointed(name: string, nodes: Plan[]) {
  const reads = nodes.filter(
    (node) =>
      /Scan$/.test(node['Node Type']) &&
      node['Node Type'] !== 'Bitmap Heap Scan' &&
      OURS.test(node['Relation Name'] ?? node['Index Name'] ?? ''),
  )
  for (const read of reads)
    expect(`${read['Node Type']} on ${read['Index Cond'] ?? 'everything'}`, name).toMatch(
      new RegExp(`^(Bitmap )?Index.* on .*${POINTED.source}`),
    )
  return reads.length
}

async function expectGoodPlans() {
  let reads = 0
  for (const statement of statements) reads += expectPointed(statement.name, await explain(statement, ''))
  expect(reads).toBeGreaterThanOrEqual(statements.length)
}

async function expectFewBlocks() {
  for (const statement of statements) {
    const nodes = await explain(statement, ', analyze, buffers, timing off')
    const blocks = nodes.map((node) => (node['Shared Hit Blocks'] ?? 0) + (node['Shared Read Blocks'] ?? 0))
    expect(Math.max(...blocks), statement.name).toBeLessThan(FEW_BLOCKS)
  }
}

test('every statement is among them, by itself and with the others in one', () => {
  expect(statements.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'artifacts.find',
      'artifacts.findSessionByUid',
      'artifacts.findDeviceByUserCode',
      'artifacts.claim',
      'commit.saves',
      'commit.consumptions',
      'commit.endings',
      'commit.removals',
      'commit.revocations',
      'commit.consumptions.audit_rows.saves',
    ]),
  )
  const together = statements.find(({ values }) => values.length === 5)
  expect(together && countUnits(together)).toBe(5)
})

test('in a table just made', expectGoodPlans)

test('by a plan made then, when the table has grown and PostgreSQL has not noticed', async () => {
  await fill()
  await expectGoodPlans()
  await expectFewBlocks()
})

test('by a plan made anew, when it has noticed', async () => {
  await connection.query('analyze')
  await connection.query('discard plans')
  await expectGoodPlans()
  await expectFewBlocks()
})

test('a statement without such a condition would be found out', async () => {
  const name = 'careless'
  const text = 'select from artifacts where client_id = $1'
  await connection.query({ name, text, values: ['x'] })
  const nodes = await explain({ name, text, values: ['x'] }, '')
  expect(() => expectPointed(name, nodes)).toThrow(/Scan on everything/)
})

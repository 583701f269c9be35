// Units of work that travel together, on a table of the test's own.
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { meet } from '../../test/races/support/barrier.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { countUnits, sentDuring } from '../../test/support/statements.ts'
import { createCommit, type Entry, LostClaim, type Part } from './commit.ts'

const PUTS: Part = {
  name: 'puts',
  columns: 'id text, note text',
  sql: (rows) => `insert into things as t (id, note) select id, note from ${rows}
    on conflict (id) do update set note = excluded.note`,
}
const DROPS: Part = {
  name: 'drops',
  columns: 'id text',
  sql: (rows) => `delete from things t using ${rows} where t.id = drops.id`,
}
const TAKES: Part = {
  name: 'takes',
  columns: 'id text',
  claim: true,
  sql: (rows) => `update things t set taken = true from ${rows}
    where t.id = takes.id and not t.taken returning takes.unit`,
}

/** Claims are made before it, and it waits at the gate. */
const LATE_PUTS: Part = {
  ...PUTS,
  name: 'late_puts',
  sql: (rows) => `insert into things as t (id, note)
    select id, note from ${rows}, (select pg_advisory_xact_lock_shared(1)) as gate
    on conflict (id) do update set note = excluded.note`,
}
const GATE = { text: 'select pg_advisory_xact_lock(1)' }

const put = (id: string, note = ''): Entry => ({ part: PUTS, key: id, json: JSON.stringify({ id, note }) })
const drop = (id: string): Entry => ({ part: DROPS, key: id, json: JSON.stringify({ id }) })
const take = (id: string): Entry => ({ part: TAKES, key: id, json: JSON.stringify({ id }) })

let place: TestDatabase
let pool: Pool

beforeAll(async () => {
  place = await createTestDatabase()
  pool = (await place.open()).pool
  await pool.query(`create table things (id text primary key, taken boolean not null default false,
    note text not null check (note <> 'bad'))`)
})
afterAll(() => place.drop())
beforeEach(async () => {
  await pool.query('delete from things')
  await pool.query(`insert into things (id, note) values ('a', ''), ('b', ''), ('c', '')`)
})

const ids = async (condition = 'true') => {
  const { rows } = await pool.query<{ id: string }>(`select id from things where ${condition} order by id`)
  return rows.map(({ id }) => id).join('')
}
const taken = () => ids('taken')

/** How each unit fared: nothing, or why not. */
async function outcomes(units: Promise<void>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(units)
  return settled.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined))
}

describe('units of one turn', () => {
  test('are one statement', async () => {
    const { shared } = createCommit(pool)
    const sent = await sentDuring(pool, () =>
      Promise.all([shared([put('x'), drop('a')]), shared([put('y'), put('z')]), shared([take('b')])]),
    )
    expect(sent.map(countUnits)).toEqual([3])
    expect(await ids()).toBe('bcxyz')
    expect(await taken()).toBe('b')
  })

  test('of which one breaks a rule: it fails alone, and its neighbours are there', async () => {
    const { shared } = createCommit(pool)
    let fared: unknown[] = []
    const sent = await sentDuring(pool, async () => {
      fared = await outcomes([
        shared([put('x')]),
        shared([put('y'), put('z', 'bad')]),
        shared([take('a'), drop('b')]),
      ])
    })
    expect(countUnits(sent[0]!)).toBe(3)
    expect(fared).toEqual([undefined, expect.objectContaining({ code: '23514' }), undefined])
    expect(await ids()).toBe('acx')
    expect(await taken()).toBe('a')
  })

  test('of which one loses its claim: it writes nothing, and its neighbours are there', async () => {
    const { shared } = createCommit(pool)
    await shared([take('a')])
    const late = take('a')
    let fared: unknown[] = []
    const sent = await sentDuring(pool, async () => {
      fared = await outcomes([
        shared([put('x')]),
        shared([put('y'), late, drop('c')]),
        shared([take('b'), put('z')]),
      ])
    })
    expect(sent.map(countUnits)).toEqual([3])
    expect(fared).toEqual([undefined, expect.any(LostClaim), undefined])
    expect((fared[1] as LostClaim).entry).toBe(late)
    expect(await ids()).toBe('abcxz')
    expect(await taken()).toBe('ab')
  })

  test('that claim one row: one of them wins, in every round', async () => {
    const { shared } = createCommit(pool)
    for (let round = 0; round < 20; round++) {
      await pool.query('update things set taken = false')
      const fared = await outcomes(
        Array.from({ length: 20 }, (_, index) => shared([put(`${round}-${index}`), take('a')])),
      )
      expect(fared.filter((error) => error === undefined)).toHaveLength(1)
      expect(fared.filter((error) => error instanceof LostClaim)).toHaveLength(19)
      expect(await ids(`id like '${round}-%'`)).toMatch(/^\d+-\d+$/)
    }
  })

  test('that write one row: the one that came last is what is left', async () => {
    const { shared } = createCommit(pool, { lanes: 1 })
    await Promise.all(Array.from({ length: 20 }, (_, index) => shared([put('a', `note ${index}`)])))
    const { rows } = await pool.query(`select note from things where id = 'a'`)
    expect(rows).toEqual([{ note: 'note 19' }])
  })

  test('what is not there cannot be claimed', async () => {
    const { shared } = createCommit(pool)
    expect(await outcomes([shared([take('unknown'), put('x')])])).toEqual([expect.any(LostClaim)])
    expect(await ids()).toBe('abc')
  })
})

describe('several claims in one unit', () => {
  test('are all had, with what is written besides', async () => {
    const { shared } = createCommit(pool)
    await shared([take('b'), put('x'), take('a')])
    expect([await taken(), await ids()]).toEqual(['ab', 'abcx'])
  })

  test.each([
    ['the first', 'a'],
    ['the last', 'c'],
  ])('are none, and nothing is written, when %s is lost', async (_, lost) => {
    const { shared } = createCommit(pool)
    await shared([take(lost)])
    const unit = ['a', 'b', 'c'].map(take)
    const [error] = await outcomes([shared([...unit, put('x')])])
    expect(error).toBeInstanceOf(LostClaim)
    expect((error as LostClaim).entry.key).toBe(lost)
    expect([await taken(), await ids()]).toEqual([lost, 'abc'])
  })

  test('named in any order never wait for each other: one unit wins, the others are told they lost', async () => {
    const { shared } = createCommit(pool)
    for (let round = 0; round < 20; round++) {
      await pool.query('update things set taken = false')
      const units = ['abc', 'cba', 'bca', 'acb'].map((order) => shared([...order].map(take)))
      const fared = await outcomes(units)
      expect(fared.filter((error) => !(error instanceof LostClaim))).toEqual([undefined])
    }
  })
})

test('the same kinds of rows make the same statement, whoever writes how many in whatever order', async () => {
  const { shared } = createCommit(pool)
  const sent = await sentDuring(pool, async () => {
    await shared([put('x'), drop('y'), take('a')])
    await Promise.all([shared([take('b')]), shared([drop('w')]), shared([drop('y'), put('z'), put('u')])])
    await Promise.all([shared([put('x'), take('c')]), shared([drop('a')])])
  })
  expect(sent).toHaveLength(3)
  expect(new Set(sent.map(({ name, text }) => `${name}: ${text}`)).size).toBe(1)
})

test('statements whose names begin alike, however long, are not taken for each other', async () => {
  const { shared } = createCommit(pool)
  const named = (name: string, { part, ...entry }: Entry): Entry => ({
    ...entry,
    part: { ...part, name, sql: (rows) => part.sql(rows).replaceAll(/\b(puts|drops)\b/g, name) },
  })
  const long = 'x'.repeat(60)
  await shared([named(`${long}1`, put('x'))])
  await shared([named(`${long}2`, drop('a'))])
  expect(await ids()).toBe('bcx')
})

describe('an error', () => {
  /** A pool that answers as it is told, one answer after the other; then as if all went well. */
  function scripted(...answers: object[]) {
    const sizes: number[] = []
    const query = async ({ values }: { values: string[] }) => {
      sizes.push(JSON.parse(values[0]!).length)
      const answer = answers.shift()
      if (answer) throw answer
      return { rows: [] }
    }
    return { sizes, commit: createCommit({ query } as unknown as Pool) }
  }

  const sqlState = (code: string) => Object.assign(new Error(code), { code })

  test.each([
    ['the connection was lost', new Error('Connection terminated unexpectedly')],
    ['the network failed', sqlState('ECONNRESET')],
    ['an administrator ended the connection', sqlState('57P01')],
    ['the statement took too long', sqlState('57014')],
    ['the disk is full', sqlState('53100')],
    ['there is no such column', sqlState('42703')],
  ])(
    'after which the batch may have been committed fails all of it, and nothing is sent again: %s',
    async (_, error) => {
      const { sizes, commit } = scripted(error)
      expect(await outcomes([commit.shared([put('a')]), commit.shared([put('b')])])).toEqual([error, error])
      expect(sizes).toEqual([2])
    },
  )

  test.each([
    ['broken constraint', '23505'],
    ['text that is none', '22P02'],
    ['deadlock', '40P01'],
    ['row that somebody holds', '55P03'],
    ['transaction that could not be serialised', '40001'],
  ])('that says it was rolled back is tried unit by unit: %s', async (_, code) => {
    const { sizes, commit } = scripted(sqlState(code))
    expect(await outcomes([commit.shared([put('a')]), commit.shared([put('b')])])).toEqual([
      undefined,
      undefined,
    ])
    expect(sizes).toEqual([2, 1, 1])
  })

  test('of a unit tried by itself is its own', async () => {
    const [refused, own] = [sqlState('23505'), sqlState('23514')]
    const { sizes, commit } = scripted(refused, own)
    expect(await outcomes([commit.shared([put('a')]), commit.shared([put('b')])])).toEqual([own, undefined])
    expect(sizes).toEqual([2, 1, 1])
  })

  test('that is a deadlock reaches nobody, even when it meets a unit tried by itself', async () => {
    const deadlock = sqlState('40P01')
    const { sizes, commit } = scripted(deadlock, deadlock, deadlock)
    expect(await outcomes([commit.shared([put('a')]), commit.shared([put('b')])])).toEqual([
      undefined,
      undefined,
    ])
    expect(sizes.slice(1)).toEqual([1, 1, 1, 1])
  })
})

describe('two instances', () => {
  let pools: Pool[]
  beforeAll(async () => {
    if (place.url) pools = [pool, (await place.open()).pool]
  })

  /** How often PostgreSQL sent one back because they waited for each other, or had waited too long, while `work` went on. */
  async function crossingsDuring(work: () => Promise<unknown>): Promise<number> {
    const queries = pools.map((each) => vi.spyOn(each, 'query'))
    try {
      await work()
      const results = queries.flatMap(({ mock }) => mock.settledResults)
      return results.filter(
        ({ type, value }) => type === 'rejected' && ['40P01', '55P03'].includes(value.code),
      ).length
    } finally {
      for (const query of queries) query.mockRestore()
    }
  }

  test('that write the same rows take them in one order, and never wait for each other', async (context) => {
    context.skip(!place.url, 'the embedded database has one connection')
    const commits = pools.map((each) => createCommit(each, { lanes: 4, size: 3 }))
    const random = numbers(7)
    const crossings = await crossingsDuring(async () => {
      for (let round = 0; round < 60; round++) {
        const write = round % 2 ? put : drop
        const units = Array.from({ length: 40 }, (_, index) => {
          const rows = [...'abcdefghij'].filter(() => random() < 0.5).sort(() => random() - 0.5)
          return commits[index % 2]!.shared(['z', ...rows].map((id) => write(id)))
        })
        expect((await outcomes(units)).filter(Boolean)).toEqual([])
      }
    })
    expect(crossings).toBe(0)
  })

  test('that meet crosswise all the same both commit: that they waited for each other reaches nobody', async (context) => {
    context.skip(!place.url, 'the embedded database has one connection')
    const [here, there] = pools.map((each) => createCommit(each, { lockWait: 4000 }))
    const late = (id: string): Entry => ({ ...put(id, 'late'), part: LATE_PUTS })
    const crossings = await crossingsDuring(async () => {
      const [fared] = await meet(pool, { at: GATE, waiting: 2 }, () => [
        outcomes([here!.shared([take('a'), late('b')]), there!.shared([take('b'), late('a')])]),
      ])
      expect(fared).toEqual([undefined, undefined])
    })
    expect([await taken(), await ids(`note = 'late'`)]).toEqual(['ab', 'ab'])
    expect(crossings).toBeGreaterThan(0)
  })
})

/** The same sequence of numbers from 0 to 1 on every run. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

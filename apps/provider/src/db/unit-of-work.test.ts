import { AsyncResource } from 'node:async_hooks'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { countUnits, sentDuring } from '../../test/support/statements.ts'
import { type ArtifactStore, createArtifactStore } from '../artifacts/store.ts'
import { type AuditLog, createAuditLog } from '../audit/store.ts'
import type { Database } from './database.ts'
import { createUnitOfWork, isDuplicate, type UnitOfWork } from './unit-of-work.ts'

const HOUR = 3600

let place: TestDatabase
let database: Database
let pool: Pool
let work: UnitOfWork
let store: ArtifactStore
let audit: AuditLog

beforeAll(async () => {
  place = await createTestDatabase()
  database = await place.open()
  pool = database.pool
  work = createUnitOfWork(database)
  store = createArtifactStore(pool, work)
  audit = createAuditLog(work, () => new Date())
  await pool.query(`alter table artifacts add constraint good check (kind <> 'Bad')`)
})
afterAll(() => place.drop())
beforeEach(() => pool.query('truncate artifacts, audit_events, users cascade'))

/** What another request sees and does, although it is told from within this one. */
const outside = new AsyncResource('another request')
const elsewhere = <T>(ask: () => Promise<T>): Promise<T> => outside.runInAsyncScope(ask)

const save = (id: string, kind = 'Grant') => store.upsert({ kind, id, payload: { jti: id }, lifetime: HOUR })
const record = () => audit.record({ type: 'sign_in.succeeded', userId: 'u', amr: ['pwd'] })
const person = (id: string) => ({ id, email: id, emailCanonical: id })
const createPerson = (id: string) => work.client.user.create({ data: person(id) })

class Late extends Error {}
const lost = async () => {
  throw new Late()
}

/** Everything that is there, in one line. */
async function everything(): Promise<string> {
  const { rows } = await pool.query<{ name: string }>(
    `select kind || ' ' || id as name from artifacts union all select 'trace' from audit_events
      union all select 'person ' || id from users order by 1`,
  )
  return rows.map(({ name }) => name).join(', ')
}

describe('a unit', () => {
  test('sees what it wrote, and nobody else does before it commits', async () => {
    await save('old')
    await work.run(async () => {
      await save('new')
      await store.destroy('Grant', 'old')
      expect(await store.find('Grant', 'new')).toBeDefined()
      expect(await store.find('Grant', 'old')).toBeUndefined()
      expect(await elsewhere(() => store.find('Grant', 'new'))).toBeUndefined()
      expect(await elsewhere(() => store.find('Grant', 'old'))).toBeDefined()
    })
    expect(await everything()).toBe('Grant new')
  })

  test('leaves no trace when something is thrown, and whoever threw it hears of it', async () => {
    const failure = new Error('no')
    const unit = work.run(async () => {
      await save('x')
      await record()
      await work.later((client) => client.user.create({ data: person('p') }))
      throw failure
    })
    await expect(unit).rejects.toBe(failure)
    expect(await everything()).toBe('')
  })

  test('leaves no trace when it is not to be kept, which is asked at its end', async () => {
    let isKept = true
    const unit = work.run(
      async () => {
        await save('x')
        await record()
        isKept = false
        return 'answer'
      },
      () => isKept,
    )
    expect(await unit).toBe('answer')
    expect(await everything()).toBe('')
  })

  test('within a unit is part of it: nothing is there before the outer one commits', async () => {
    await work.run(async () => {
      await work.run(() => save('inner'))
      expect(await elsewhere(everything)).toBe('')
    })
    expect(await everything()).toBe('Grant inner')
  })

  test('asks for a row once, and for what another changed meanwhile not at all', async () => {
    await save('x')
    const sent = await sentDuring(pool, () =>
      work.run(async () => {
        const first = await store.find('Grant', 'x')
        await elsewhere(() => store.destroy('Grant', 'x'))
        expect(await store.find('Grant', 'x')).toEqual(first)
        expect(await store.find('Grant', 'none')).toBeUndefined()
        expect(await store.find('Grant', 'none')).toBeUndefined()
      }),
    )
    const reads = sent.filter(({ name }) => name === 'artifacts.find')
    expect(reads).toHaveLength(2)
  })

  test('keeps what it remembers to itself', async () => {
    await Promise.all(
      ['a', 'b'].map((name) =>
        work.run(async () => {
          work.memory.set('name', name)
          await save(name)
          expect(work.memory.get('name')).toBe(name)
        }),
      ),
    )
    expect(work.memory.size).toBe(0)
  })

  test('that writes nothing asks the database nothing', async () => {
    expect(await sentDuring(pool, () => work.run(async () => undefined))).toEqual([])
  })
})

test.each<[string, (start: () => Promise<void>) => Promise<unknown>]>([
  ['a unit', (start) => work.run(start)],
  ['a transaction', (start) => work.transaction(start)],
  ['a unit that was given up', (start) => work.run(start, () => false)],
])('what %s has started and nobody waited for is written at once when it comes', async (_, inside) => {
  const { promise: wasOver, resolve: over } = Promise.withResolvers<void>()
  let late: Promise<void> | undefined
  await inside(async () => {
    late = wasOver.then(() => work.transaction(() => createPerson('late'))).then(record)
  })
  over()
  await late
  expect(await everything()).toBe('person late, trace')
})

test('outside of a unit each write is there at once', async () => {
  await save('x')
  await record()
  await work.later((client) => client.user.create({ data: person('p') }))
  expect(await everything()).toBe('Grant x, person p, trace')
})

describe('artefacts, traces and what Prisma writes', () => {
  test('are there together', async () => {
    await work.run(async () => {
      await save('x')
      await work.later((client) => client.user.create({ data: person('p') }))
      await record()
      expect(await elsewhere(everything)).toBe('')
    })
    expect(await everything()).toBe('Grant x, person p, trace')
  })

  test.each<[string, () => Promise<unknown>]>([
    ['what Prisma writes', () => work.later((client) => client.user.create({ data: person('taken') }))],
    ['an artefact', () => save('x', 'Bad')],
    ['a claim', () => store.end('Grant', 'unknown', lost)],
  ])('are all not there when %s fails', async (_, fail) => {
    await createPerson('taken')
    const unit = work.run(async () => {
      await save('x')
      await work.later((client) => client.user.create({ data: person('p') }))
      await record()
      await fail()
    })
    await expect(unit).rejects.toThrow()
    expect(await everything()).toBe('person taken')
  })
})

describe('a transaction', () => {
  test('takes along what its unit had to write before, and sees all of it', async () => {
    await work.run(async () => {
      await save('before')
      await work.transaction(async () => {
        await createPerson('p')
        await record()
        expect(await work.client.user.findUnique({ where: { id: 'p' } })).not.toBeNull()
        expect(await store.find('Grant', 'before')).toBeDefined()
        if (place.url) expect(await elsewhere(everything)).toBe('')
      })
      expect(await elsewhere(everything)).toBe('Grant before, person p, trace')
      await save('after')
    })
    expect(await everything()).toBe('Grant after, Grant before, person p, trace')
  })

  test.each<[string, () => Promise<unknown>]>([
    ['is thrown', lost],
    ['fails in the database', () => createPerson('p')],
    ['fails at its end', () => save('x', 'Bad')],
    ['cannot be claimed', () => store.end('Grant', 'unknown', lost)],
  ])(
    'leaves nothing when something %s, and what its unit had to write before goes with it',
    async (_, fail) => {
      await work.run(async () => {
        await save('before')
        const transaction = work.transaction(async () => {
          await createPerson('p')
          await record()
          await fail()
        })
        await expect(transaction).rejects.toThrow()
      })
      expect(await everything()).toBe('')
    },
  )

  test('within a transaction is part of it', async () => {
    const transaction = work.transaction(async () => {
      await work.transaction(() => createPerson('inner'))
      throw new Late()
    })
    await expect(transaction).rejects.toThrow(Late)
    expect(await everything()).toBe('')
  })

  test('writes at once what elsewhere would wait for the end, for rows may be read again in it', async () => {
    await work.transaction(async () => {
      await work.later((client) => client.user.create({ data: person('p') }))
      expect(await work.client.user.findUnique({ where: { id: 'p' } })).not.toBeNull()
    })
    expect(await everything()).toBe('person p')
  })

  test('reads what is there now, not what its unit remembers', async () => {
    await save('x')
    await work.run(async () => {
      await store.find('Grant', 'x')
      await work.transaction(() => createPerson('p'))
      await elsewhere(() => store.destroy('Grant', 'x'))
      expect(await store.find('Grant', 'x')).toBeUndefined()
    })
  })

  test('that breaks a rule tells it as Prisma does', async () => {
    await createPerson('p')
    const error = await work.transaction(() => createPerson('p')).catch((reason: unknown) => reason)
    expect(isDuplicate(error)).toBe(true)
  })
})

describe('a claim that another request won', () => {
  const ways: [string, (unit: () => Promise<void>) => Promise<void>][] = [
    ['in a unit', (unit) => work.run(unit)],
    [
      'in a unit with writes through Prisma',
      (unit) =>
        work.run(async () => {
          await work.later((client) => client.user.create({ data: person('p') }))
          await unit()
        }),
    ],
    ['in a transaction', (unit) => work.transaction(unit)],
    ['in a transaction of a unit', (unit) => work.run(() => work.transaction(unit))],
  ]

  test.each(ways)(
    '%s: nothing of it is written, and what answers for it writes for itself',
    async (_, within) => {
      await save('x')
      await store.consume('Grant', 'x', lost)
      const answer = async () => {
        await save('last word')
        expect(await elsewhere(everything)).toBe('Grant last word, Grant x')
        throw new Late()
      }
      const unit = within(async () => {
        await save('y')
        await record()
        await store.consume('Grant', 'x', answer)
      })
      await expect(unit).rejects.toThrow(Late)
      expect(await everything()).toBe('Grant last word, Grant x')
    },
  )

  test('is lost by all but one of those that make it in the same turn, and only the winner’s writes are there', async () => {
    await save('x')
    const units = Array.from({ length: 20 }, (_, index) =>
      work.run(async () => {
        await store.consume('Grant', 'x', lost)
        await save(`y${index}`)
      }),
    )
    const outcomes = await Promise.allSettled(units)
    const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await everything()).toBe(`Grant x, Grant y${winner}`)
  })

  test('fails no neighbour: those that travelled in the same statement are there', async () => {
    await save('x')
    await store.consume('Grant', 'x', lost)
    let outcomes: PromiseSettledResult<void>[] = []
    const sent = await sentDuring(pool, async () => {
      const units = Array.from({ length: 10 }, (_, index) =>
        work.run(async () => {
          await save(`y${index}`)
          if (index === 5) await store.consume('Grant', 'x', lost)
          if (index === 6) await save('z', 'Bad')
        }),
      )
      outcomes = await Promise.allSettled(units)
    })
    expect(countUnits(sent[0]!)).toBe(10)
    expect(outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))).toEqual([5, 6])
    expect(await everything()).toBe(
      'Grant x, Grant y0, Grant y1, Grant y2, Grant y3, Grant y4, Grant y7, Grant y8, Grant y9',
    )
  })
})

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findPostgresPrograms, type OwnPostgres, startPostgres } from '../../test/support/postgres.ts'
import { silentLog } from '../lib/log.ts'
import { type Database, pingDatabase } from './database.ts'
import { openDatabase } from './open.ts'
import { createPool } from './pool.ts'
import { isDatabaseUnavailable } from './unavailable.ts'

const open = (url: string) => openDatabase({ url, dataDir: '', log: silentLog, maxConnections: 4 })

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'it succeeded',
    (error: unknown) => error,
  )

/** Everything the code does with a database, each through its own layers of wrapping. */
const uses = ({ pool, prisma }: Database): Promise<unknown>[] => [
  pool.query('select count(*) from users'),
  pool.connect().then((client) => client.query('select 1').finally(() => client.release(true))),
  prisma.user.count(),
  prisma.user.findUnique({ where: { id: 'nobody' } }),
  prisma.$queryRaw`select 1`,
  prisma.$transaction([prisma.user.count(), prisma.user.count()]),
  prisma.$transaction((tx) => tx.user.count()),
]

async function expectUnavailable(work: Promise<unknown>[]) {
  for (const failure of await Promise.all(work.map(failureOf))) {
    expect([failure, isDatabaseUnavailable(failure)]).toEqual([failure, true])
  }
}

describe.skipIf(!findPostgresPrograms())('with a PostgreSQL of its own', () => {
  let server: OwnPostgres
  let database: Database

  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.remove())
  beforeEach(async () => {
    database = await open(server.url)
  })
  afterEach(() => database.close())

  const untilSleeping = (count: number) =>
    expect
      .poll(async () => {
        const asleep = `select from pg_stat_activity where wait_event = 'PgSleep'`
        return (await database.pool.query(asleep)).rowCount
      })
      .toBe(count)

  test.each(['fast', 'immediate'] as const)(
    'a stop (%s) is unavailability, and the same pool serves again after it',
    async (mode) => {
      const sleeping = [
        database.pool.query('select pg_sleep(60)'),
        database.prisma.$executeRaw`select pg_sleep(60)`,
        database.prisma.$transaction((tx) => tx.$executeRaw`select pg_sleep(60)`),
      ].map(failureOf)
      await untilSleeping(sleeping.length)
      await server.stop(mode)
      for (const failure of await Promise.all(sleeping)) expect(isDatabaseUnavailable(failure)).toBe(true)
      await expectUnavailable(uses(database))
      expect(await pingDatabase(database, 1000)).toBe(false)
      await server.start()
      await Promise.all(uses(database))
      expect(await pingDatabase(database, 5000)).toBe(true)
    },
  )

  test('a server that hangs is unavailability in the time that a connection may take', async () => {
    await database.close()
    database = await open(server.url)
    server.pause()
    const started = performance.now()
    expect(await pingDatabase(database, 100)).toBe(false)
    await expectUnavailable(uses(database))
    expect(performance.now() - started).toBeLessThan(10_000)
    server.resume()
    await Promise.all(uses(database))
  })

  test('a connection whose server hangs in the middle of a statement is given up', async () => {
    const pool = createPool({ connection: { connectionString: server.url }, greeting: [] }, silentLog, 500)
    await pool.query('select 1')
    server.pause()
    const failure = await failureOf(pool.query('select 1'))
    server.resume()
    expect(failure).toMatchObject({ message: 'PostgreSQL has not answered for 0.5 s' })
    expect(isDatabaseUnavailable(failure)).toBe(true)
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await pool.end()
  })

  test('no free connection is unavailability', async () => {
    const held = await Promise.all([1, 2, 3, 4].map(() => database.pool.connect()))
    await expectUnavailable(uses(database))
    for (const client of held) client.release()
  })

  test('a server without free connections is unavailability', async () => {
    await database.pool.query('create role crowd login connection limit 1')
    await database.pool.query('grant all on all tables in schema public to crowd')
    const crowd = await openDatabase({
      url: server.url.replace('postgres@', 'crowd@'),
      dataDir: '',
      log: silentLog,
      migrate: false,
    })
    const only = await crowd.pool.connect()
    await expectUnavailable(uses(crowd))
    only.release()
    await crowd.close()
  })

  test('a statement or a lock that takes too long is unavailability', async () => {
    const { prisma, pool } = database
    const holder = await pool.connect()
    await holder.query('begin; lock table users')
    await expectUnavailable([
      prisma.user.count(),
      prisma.$transaction(async (tx) => {
        await tx.$executeRaw`set local statement_timeout = 50`
        await tx.$executeRaw`select pg_sleep(1)`
      }),
      prisma.$transaction(
        async (tx) => {
          await tx.$executeRaw`select pg_sleep(0.2)`
          await tx.$executeRaw`select 1`
        },
        { timeout: 50 },
      ),
    ])
    await holder.query('rollback')
    holder.release()
  })

  test('a server that only reads is unavailability', async () => {
    await expectUnavailable([
      database.prisma.$transaction(async (tx) => {
        await tx.$executeRaw`set transaction read only`
        await tx.user.deleteMany()
      }),
      database.pool.query('begin read only; delete from users'),
    ])
  })

  test('a pool that is closed is unavailability', async () => {
    await database.close()
    await expectUnavailable(uses(database))
  })

  test('what we did wrong ourselves is not', async () => {
    const { pool, prisma } = database
    const person = { id: 'a', email: 'a', emailCanonical: 'a' }
    await prisma.user.create({ data: person })
    const mistakes = [
      pool.query('select nope'),
      pool.query(`select 'x'::int`),
      prisma.user.create({ data: person }),
      prisma.user.update({ where: { id: 'nobody' }, data: { name: 'n' } }),
      prisma.$queryRaw`select nope`,
      Promise.reject(new TypeError('x is undefined')),
      Promise.reject('a text'),
      Promise.reject(null),
    ]
    for (const failure of await Promise.all(mistakes.map(failureOf))) {
      expect([failure, isDatabaseUnavailable(failure)]).toEqual([failure, false])
    }
  })
})

test.each([
  ['a full disk', { code: '53100' }],
  ['a server that is starting up', { code: '57P03' }],
  ['a local server without a socket', { code: 'ENOENT', syscall: 'connect' }],
  [
    'all addresses of a host refusing',
    new AggregateError([{ code: 'ECONNREFUSED' }, { code: 'ECONNREFUSED' }]),
  ],
  ['a cause deep inside', new Error('outer', { cause: new Error('inner', { cause: { code: '57P01' } }) })],
])('%s is unavailability', (_, error) => {
  expect(isDatabaseUnavailable(error)).toBe(true)
})

test.each([
  ['a missing file', { code: 'ENOENT', syscall: 'open' }],
  ['a duplicate', { code: '23505' }],
  ['an error that is its own cause', itsOwnCause()],
])('%s is not', (_, error) => {
  expect(isDatabaseUnavailable(error)).toBe(false)
})

function itsOwnCause(): Error {
  const error = new Error('round')
  error.cause = error
  return error
}

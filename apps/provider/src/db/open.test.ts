import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startChild } from '../../test/support/child.ts'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from '../../test/support/database.ts'
import { type Database, pingDatabase } from './database.ts'
import { isDuplicate } from './unit-of-work.ts'

const program = new URL('./test-programs/open-database.ts', import.meta.url)
const hasServer = (await realPostgresUrl()) !== null

const person = (id: string, createdAt = new Date()) => ({
  id,
  email: `${id}@example.com`,
  emailCanonical: id,
  createdAt,
})

describe.each([
  { kind: 'embedded' as const, there: true },
  { kind: 'any' as const, there: hasServer },
])('$kind database', ({ kind, there }) => {
  let place: TestDatabase
  let database: Database

  beforeEach(async (context) => {
    context.skip(!there, 'there is no PostgreSQL here')
    place = await createTestDatabase(kind)
    database = await place.open()
  })
  afterEach(() => place?.drop())

  test('what Prisma writes the pool reads, to the millisecond, and the other way round', async () => {
    const { pool, prisma } = database
    const moment = new Date('2026-02-03T04:05:06.789Z')
    await prisma.user.create({ data: person('usr_a', moment) })
    const read = { name: 'read', text: 'select id, created_at from users where id = $1', values: ['usr_a'] }
    expect((await pool.query(read)).rows).toEqual([{ id: 'usr_a', created_at: moment }])

    const write =
      'insert into users (id, email, email_canonical, created_at, updated_at) values ($1, $1, $1, $2, $2)'
    await pool.query({ name: 'write', text: write, values: ['usr_b', moment] })
    expect(await prisma.user.findUnique({ where: { id: 'usr_b' } })).toMatchObject({ createdAt: moment })
  })

  test('a server that keeps another time zone shifts no moment', async () => {
    const { rows } = await database.pool.query<{ name: string }>('select current_database() as name')
    const settings = place.url ? `database ${rows[0]?.name}` : 'system'
    await database.pool.query(`alter ${settings} set timezone to 'Asia/Tokyo'`)
    await database.close()
    const { pool, prisma } = await place.open()
    const moment = new Date('2026-02-03T04:05:06.789Z')
    await prisma.user.create({ data: person('usr_a', moment) })
    expect((await pool.query('select created_at from users')).rows).toEqual([{ created_at: moment }])
    expect(await prisma.user.findUnique({ where: { id: 'usr_a' } })).toMatchObject({ createdAt: moment })
  })

  test("Prisma's statements are prepared once per connection, also when all connections are busy", async () => {
    const { pool, prisma } = database
    const ids = Array.from({ length: 40 }, (_, n) => `usr_${n}`)
    await Promise.all(ids.map((id) => prisma.user.create({ data: person(id) })))
    await Promise.all(ids.map((id) => prisma.user.update({ where: { id }, data: { name: id } })))
    expect(await prisma.user.count({ where: { name: { not: null } } })).toBe(ids.length)
    const { rows } = await pool.query(
      `select statement from pg_prepared_statements where name like 'prisma_%'`,
    )
    const texts = rows.map(({ statement }) => statement)
    expect(texts.join('\n')).toMatch(/users/)
    expect(new Set(texts).size).toBe(texts.length)
  })

  test('fifty transactions at once, of Prisma and of the pool, all commit and lose no update', async () => {
    const { pool, prisma } = database
    await pool.query(
      'create table counter (id int primary key, value int); insert into counter values (1, 0)',
    )
    const throughPrisma = () =>
      prisma.$transaction(async (tx) => {
        const [row] = await tx.$queryRaw<
          { value: number }[]
        >`select value from counter where id = 1 for update`
        await tx.$executeRaw`update counter set value = ${(row?.value ?? 0) + 1} where id = 1`
      })
    const throughPool = async () => {
      const client = await pool.connect()
      await client.query('begin')
      const { rows } = await client.query('select value from counter where id = 1 for update')
      await client.query('update counter set value = $1 where id = 1', [rows[0].value + 1])
      await client.query('commit')
      client.release()
    }
    await Promise.all(Array.from({ length: 50 }, (_, n) => (n % 2 ? throughPrisma() : throughPool())))
    expect((await pool.query('select value from counter')).rows).toEqual([{ value: 50 }])
  })

  test('a transaction that fails leaves nothing behind and disturbs nobody', async () => {
    const { prisma } = database
    await prisma.user.create({ data: person('usr_taken') })
    const refused = prisma.$transaction(async (tx) => {
      await tx.user.create({ data: person('usr_new') })
      await tx.user.create({ data: person('usr_taken') })
    })
    expect(isDuplicate(await refused.catch((error: unknown) => error))).toBe(true)
    expect(await prisma.user.count()).toBe(1)
    await prisma.$transaction((tx) => tx.user.create({ data: person('usr_new') }))
    expect(await prisma.user.count()).toBe(2)
  })

  test('a connection given up in the middle of a transaction is replaced and leaves no trace', async () => {
    const { pool } = database
    const count = { name: 'count', text: 'select count(*)::int as people from users' }
    const client = await pool.connect()
    await client.query('begin')
    await client.query(
      `insert into users (id, email, email_canonical, updated_at) values ('a', 'a', 'a', now())`,
    )
    expect((await client.query(count)).rows).toEqual([{ people: 1 }])
    client.release(true)
    expect((await pool.query(count)).rows).toEqual([{ people: 0 }])
  })

  test('it answers a ping, and no more after closing', async () => {
    expect(await pingDatabase(database, 5000)).toBe(true)
    await database.close()
    expect(await pingDatabase(database, 5000)).toBe(false)
  })

  test('a process that closes it ends by itself', async () => {
    await database.close()
    const child = startChild(program, [place.dataDir, ...(place.url ? [place.url] : [])])
    await child.said('waiting')
    child.say('open')
    await child.said('open')
    child.say('close')
    await child.said('closed')
    expect(await child.ended).toBe(0)
  })
})

describe.skipIf(!hasServer)('real PostgreSQL', () => {
  let place: TestDatabase

  beforeEach(async () => {
    place = await createTestDatabase()
  })
  afterEach(() => place.drop())

  test('every wait has an end on every connection', async () => {
    const { pool } = await place.open()
    const names = [
      'statement_timeout',
      'lock_timeout',
      'idle_in_transaction_session_timeout',
      'application_name',
    ]
    const { rows } = await pool.query(
      'select name, current_setting(name) as value from unnest($1::text[]) name',
      [names],
    )
    expect(rows.map(({ value }) => value)).toEqual(['5s', '2s', '10s', 'anteroom'])
    expect(pool.options).toMatchObject({ max: 10, connectionTimeoutMillis: 2000, keepAlive: true })
  })

  test('an administrator who ends all connections ends neither the process nor the service', async () => {
    const { pool } = await place.open()
    const other = await place.open()
    await Promise.all(Array.from({ length: 5 }, () => pool.query('select pg_sleep(0.01)')))
    const lost = new Promise((resolve) => pool.once('error', resolve))
    await other.pool.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    )
    await lost
    await expect.poll(() => pool.totalCount).toBe(0)
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })
})

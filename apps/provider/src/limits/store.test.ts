import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { MINUTE } from '../lib/clock.ts'
import { createLimits, type Limits } from './store.ts'

const POLICY = {
  password_per_account: { points: 5, per: MINUTE, block: 10 * MINUTE },
  password_per_ip: { points: 8, per: MINUTE, block: 0 },
  registration_per_ip: { points: 2, per: MINUTE, block: 0 },
}
const ACCOUNT = { limit: 'password_per_account', key: 'ada@example.test' } as const
const NETWORK = { limit: 'password_per_ip', key: '192.0.2.1' } as const

let testDatabase: TestDatabase
let pools: [Pool, Pool]
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  const { pool } = await testDatabase.open()
  pools = [pool, testDatabase.url ? (await testDatabase.open()).pool : pool]
})
afterAll(() => testDatabase.drop())

let here: Limits
let elsewhere: Limits
beforeEach(async () => {
  await pools[0].query('delete from rate_limits')
  ;[here, elsewhere] = [createLimits(pools[0], POLICY), createLimits(pools[1], POLICY)]
})

const take = (times: number, allowance: Parameters<Limits['take']>[0] = ACCOUNT) =>
  Promise.all(Array.from({ length: times }, (_, index) => (index % 2 ? elsewhere : here).take(allowance)))
const admitted = (waits: (number | null)[]) => waits.filter((wait) => wait === null).length
const pass = (ms: number) => pools[0].query('update rate_limits set expire = expire - $1', [ms])

describe('an account with five tries', () => {
  test('R016: admits exactly five of forty that arrive together at two instances', async () => {
    expect(admitted(await take(40))).toBe(5)
  })

  test('admits five in turn, whichever instance they come to, and tells the sixth how long to wait', async () => {
    const waits = []
    for (let tries = 0; tries < 6; tries++) waits.push(...(await take(1)))
    expect(admitted(waits)).toBe(5)
    expect(waits.at(-1)).toBe(600)
  })

  test('stays closed for as long as its block lasts, also when its tries would be back before', async () => {
    await take(6)
    await pass(9 * MINUTE)
    expect(await here.take(ACCOUNT)).toBe(60)
    await pass(2 * MINUTE)
    expect(await here.take(ACCOUNT)).toBeNull()
  })

  test('has its tries back when the window is over', async () => {
    await take(5)
    await pass(MINUTE)
    expect(admitted(await take(5))).toBe(5)
  })

  test('has one try more for each that was right', async () => {
    await take(5)
    await elsewhere.giveBack(ACCOUNT)
    expect(await here.take(ACCOUNT)).toBeNull()
    expect(await here.take(ACCOUNT)).toBe(600)
  })

  test('R015: is forgiven its wrong tries by a right one; a network only gets that one back', async () => {
    await take(5)
    await elsewhere.succeed({ ...ACCOUNT, endsWithSuccess: true })
    expect(admitted(await take(6))).toBe(5)
    await take(8, NETWORK)
    await elsewhere.succeed(NETWORK)
    expect(admitted(await take(2, NETWORK))).toBe(1)
  })

  test('takes nothing from another account, nor from another limit of the same key', async () => {
    await take(6)
    expect(await here.take({ ...ACCOUNT, key: 'grace@example.test' })).toBeNull()
    expect(await here.take({ limit: 'registration_per_ip', key: ACCOUNT.key })).toBeNull()
  })
})

test('a network without a block waits for the rest of its window', async () => {
  await take(8, NETWORK)
  await pass(MINUTE / 2)
  expect(await here.take(NETWORK)).toBeLessThanOrEqual(30)
})

test('the table tells neither addresses nor networks', async () => {
  await take(1)
  await take(1, NETWORK)
  const { rows } = await pools[0].query<{ key: string }>('select key from rate_limits')
  expect(rows).toHaveLength(2)
  for (const { key } of rows) expect(key).toMatch(/^password_per_(account|ip):[\w-]{43}$/)
})

test('any text is a key: hostile ones are counted as well', async () => {
  for (const key of ['', '\0', '\ud800', "'; drop table rate_limits; --", 'x'.repeat(100_000)]) {
    expect(admitted(await take(7, { limit: 'password_per_account', key }))).toBe(5)
  }
})

test('a database that does not answer is a failure, never a free try', async () => {
  const nowhere = new Pool({ host: '127.0.0.1', port: 1 })
  await expect(createLimits(nowhere, POLICY).take(ACCOUNT)).rejects.toThrow('ECONNREFUSED')
  await nowhere.end()
})

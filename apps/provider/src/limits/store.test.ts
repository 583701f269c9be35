import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { meet } from '../../test/races/support/barrier.ts'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from '../../test/support/database.ts'
import type { LimitWindow } from '../config/parts.ts'
import { type LimitsConfig, readConfig } from '../config.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { networkOf } from '../lib/networks.ts'
import { type Allowance, createLimits, type Limits, longestClosure, type Taken } from './store.ts'

const CONFIG: LimitsConfig = {
  ...readConfig({}).policy.limits,
  password_per_account: [{ points: 5, per: MINUTE, block: 10 * MINUTE }],
  password_per_ip: [{ points: 8, per: MINUTE, block: 0 }],
  password_in_a_row: [{ points: 9, per: 365 * DAY, block: 0 }],
  registration_per_ip: [{ points: 2, per: MINUTE, block: 0 }],
}
const ACCOUNT = { limit: 'password_per_account', key: 'ada@example.test', endsWithSuccess: true } as const
const IN_A_ROW = { ...ACCOUNT, limit: 'password_in_a_row', pace: 'password_pace' } as const
const NETWORK = { limit: 'password_per_ip', key: '192.0.2.1' } as const

const hasServer = (await realPostgresUrl()) !== null

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
  start()
})
function start(config = CONFIG) {
  ;[here, elsewhere] = [createLimits(pools[0], config, silentLog), createLimits(pools[1], config, silentLog)]
}

const together = <T>(times: number, work: (limits: Limits) => Promise<T>) =>
  Promise.all(Array.from({ length: times }, (_, index) => work(index % 2 ? elsewhere : here)))
const take = (times: number, allowance: Allowance = ACCOUNT) => together(times, (at) => at.take(allowance))
const admitted = (waits: (number | null)[]) => waits.filter((wait) => wait === null).length
const pass = (ms: number) => pools[0].query('update rate_limits set expire = expire - $1', [ms])
const points = async (key = '%') =>
  (await pools[0].query('select points from rate_limits where key like $1 order by key', [key])).rows.map(
    (row) => row.points,
  )

describe('an account with five tries', () => {
  test('R016: admits exactly five of a hundred that arrive together at two instances', async () => {
    expect(admitted(await take(100))).toBe(5)
  })

  test.skipIf(!hasServer)('R016: nor more when both instances are at the same row at once', async () => {
    await take(1)
    const at = { text: 'select from rate_limits for update' }
    const waits = await meet(pools[0], { at, waiting: 2 }, () =>
      Array.from({ length: 100 }, (_, index) => (index % 2 ? elsewhere : here).take(ACCOUNT)),
    )
    expect(admitted(waits)).toBe(4)
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

  test('has one try more for each that was none, and never more than it had', async () => {
    await take(5)
    await elsewhere.giveBack(ACCOUNT)
    expect(await here.take(ACCOUNT)).toBeNull()
    expect(await here.take(ACCOUNT)).toBe(600)
    await pass(HOUR)
    await together(20, (at) => at.giveBack(ACCOUNT))
    expect(admitted(await take(20))).toBe(5)
  })

  test('keeps count of what is taken and given back in one moment', async () => {
    start({ ...CONFIG, password_per_account: [{ points: 1000, per: MINUTE, block: 0 }] })
    await take(40)
    await Promise.all([take(60), together(30, (at) => at.giveBack(ACCOUNT))])
    expect(await points()).toEqual([70])
  })

  test('R015: is forgiven its wrong tries by a right one; a network only gets that one back', async () => {
    await take(5)
    await elsewhere.succeed(ACCOUNT)
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

describe('several windows under one name', () => {
  const LETTERS = { limit: 'letters_per_address', key: 'ada@example.test' } as const

  test('T031: of fifty letters to one address one goes at once, five in an hour, ten in a day', async () => {
    expect(admitted(await take(50, LETTERS))).toBe(1)
    let sent = 1
    for (let minutes = 1; minutes <= 60; minutes++) {
      await pass(MINUTE)
      if (minutes < 60) sent += admitted(await take(3, LETTERS))
    }
    expect(sent).toBe(5)
    for (let hours = 1; hours < 24; hours++) {
      sent += admitted(await take(1, LETTERS))
      await pass(HOUR)
    }
    expect(sent).toBe(10)
    expect(admitted(await take(1, LETTERS))).toBe(1)
  })

  test('the longest wait is told, and a refused try takes nothing from the other windows', async () => {
    for (let letters = 0; letters < 5; letters++) {
      await here.take(LETTERS)
      await pass(MINUTE)
    }
    expect(await here.take(LETTERS)).toBeGreaterThan(50 * 60)
    await together(20, (at) => at.take(LETTERS))
    expect(await points('letters_per_address.3:%')).toEqual([5])
    expect((await points('letters_per_address:%'))[0]).toBe(0)
  })
})

describe('T016: failures in a row', () => {
  const failed = async (limits = here) => limits.fail(await limits.takeAll([IN_A_ROW]))
  const inTurn = async (times: number) => {
    for (let tries = 0; tries < times; tries++) {
      const taken = await here.takeAll([IN_A_ROW])
      if (!taken.ok && !taken.untilReset) {
        await pass(taken.wait * SECOND)
        tries--
      }
    }
  }

  test('of a hundred first tries that arrive together three are let in', async () => {
    start({ ...CONFIG, password_in_a_row: [{ points: 100, per: 365 * DAY, block: 0 }] })
    const all = await together(100, (at) => at.takeAll([IN_A_ROW, ACCOUNT, NETWORK]))
    expect(all.filter(({ ok }) => ok)).toHaveLength(3)
    expect(await points('password_in_a_row:%')).toEqual([3])
    expect(await points('password_per_account:%')).toEqual([3])
  })

  test('from the third on each costs twice the wait of the one before, and a minute at most', async () => {
    start({ ...CONFIG, password_in_a_row: [{ points: 100, per: 365 * DAY, block: 0 }] })
    const waits = []
    while (waits.length < 8) {
      const next = await (waits.length % 2 ? elsewhere : here).takeAll([IN_A_ROW])
      if (next.ok) continue
      waits.push(next.wait)
      await pass(next.wait * SECOND)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
  })

  test('whoever comes too early is not counted, however often', async () => {
    await inTurn(4)
    await together(50, (at) => at.takeAll([IN_A_ROW]))
    expect(await points('password_in_a_row:%')).toEqual([4])
  })

  test('all used up, no try is let in and waiting does not help, until it is forgotten', async () => {
    await inTurn(9)
    await pass(DAY)
    for (let tries = 0; tries < 3; tries++) {
      const refused = await here.takeAll([IN_A_ROW])
      expect(refused).toMatchObject({ ok: false, untilReset: true })
      expect((refused as Taken & { ok: false }).wait).toBeGreaterThan((363 * DAY) / SECOND)
    }
    await elsewhere.forget(IN_A_ROW)
    expect(await here.takeAll([IN_A_ROW])).toEqual({ ok: true, last: [] })
    expect(await points()).toEqual([1])
  })

  test('a try that others refuse is given back, so that a closed account cannot be driven into more', async () => {
    await take(6)
    await together(40, (at) => at.takeAll([IN_A_ROW, ACCOUNT]))
    expect(await points('password_in_a_row:%')).toEqual([0])
    expect(await points('password_pace:%')).toEqual([])
  })

  test('a success forgets them and the pace', async () => {
    await inTurn(5)
    await here.succeed(IN_A_ROW)
    expect(await points()).toEqual([])
  })

  test('a pace of nothing is none', async () => {
    start({ ...CONFIG, password_pace: { from: 3, first: 0, most: MINUTE } })
    const all = await together(9, (at) => at.takeAll([IN_A_ROW]))
    expect(all.every(({ ok }) => ok)).toBe(true)
  })

  test('R013: the last one closes it for good, and of all instances one hears so, once', async () => {
    for (let failures = 0; failures < 8; failures++) {
      await inTurn(1)
      await pass(MINUTE)
    }
    const last = await here.takeAll([IN_A_ROW])
    expect(last).toEqual({ ok: true, last: [IN_A_ROW] })
    expect((await together(20, (at) => at.fail(last))).filter(Boolean)).toEqual(['disabled'])
    await pass(364 * DAY)
    expect(await failed(elsewhere)).toBeNull()
    expect(await here.takeAll([IN_A_ROW])).toMatchObject({ ok: false, untilReset: true })
  })
})

test('T016: with the numbers of the table a hundred wrong tries take hours, and their owner hears of each lock once', async () => {
  start(readConfig({}).policy.limits)
  const locks: string[] = []
  let [evaluated, waited] = [0, 0]
  for (;;) {
    const at = evaluated % 2 ? elsewhere : here
    const taken = await at.takeAll([IN_A_ROW, ACCOUNT])
    if (taken.ok) {
      evaluated++
      locks.push(...[(await at.fail(taken)) ?? []].flat())
    } else if (taken.untilReset) break
    else {
      waited += taken.wait
      await pass(taken.wait * SECOND)
    }
  }
  expect(evaluated).toBe(100)
  expect(locks).toEqual([...Array(9).fill('soft'), 'disabled'])
  expect(waited).toBeGreaterThan(2 * 60 * 60)
})

test('T020: one password on five hundred accounts gets one network thirty tries', async () => {
  start(readConfig({}).policy.limits)
  const spray = (index: number): Allowance[] => [
    { ...IN_A_ROW, key: `person${index}` },
    { ...ACCOUNT, key: `person${index}` },
    NETWORK,
  ]
  const all = await Promise.all(
    Array.from({ length: 500 }, (_, index) => (index % 2 ? elsewhere : here).takeAll(spray(index))),
  )
  expect(all.filter(({ ok }) => ok)).toHaveLength(30)
  expect((await points('password_in_a_row:%')).filter((count) => count > 0)).toHaveLength(30)
  expect(await here.takeAll(spray(501))).toMatchObject({ ok: false, wait: expect.any(Number) })
})

describe('T016: the soft lock', () => {
  test('begins with the last wrong try, is heard of once, and is over after its time', async () => {
    const tries = await together(5, (at) => at.takeAll([ACCOUNT]))
    await pass(MINUTE / 2)
    expect((await Promise.all(tries.map((taken) => here.fail(taken)))).filter(Boolean)).toEqual(['soft'])
    expect(await elsewhere.takeAll([ACCOUNT])).toEqual({ ok: false, wait: 600, untilReset: false })
    await pass(9 * MINUTE)
    expect(await elsewhere.take(ACCOUNT)).toBe(60)
    await pass(MINUTE)
    expect(admitted(await take(6))).toBe(5)
  })

  test('is not lifted by tries that are given back late, nor heard of again', async () => {
    const tries = await together(5, (at) => at.takeAll([ACCOUNT]))
    await Promise.all(tries.map((taken) => here.fail(taken)))
    await together(4, (at) => at.giveBack(ACCOUNT))
    const more = await together(10, (at) => at.takeAll([ACCOUNT]))
    expect(more.filter(({ ok }) => ok)).toHaveLength(0)
    expect((await Promise.all(more.map((taken) => here.fail(taken)))).filter(Boolean)).toEqual([])
  })

  test('does not come when the last try was right', async () => {
    await take(4)
    const last = await here.takeAll([ACCOUNT])
    expect(last).toEqual({ ok: true, last: [ACCOUNT] })
    await here.succeed(ACCOUNT)
    expect(admitted(await take(5))).toBe(5)
  })

  test('takes nothing from a network whose try it refuses', async () => {
    await take(6)
    await together(8, (at) => at.takeAll([ACCOUNT, NETWORK]))
    expect(await points('password_per_ip:%')).toEqual([0])
  })
})

describe('a second factor, with the numbers of the table', () => {
  const TOTP = { limit: 'totp_per_account', key: 'usr_1', endsWithSuccess: true } as const
  const TOTP_IN_A_ROW = { ...TOTP, limit: 'totp_in_a_row' } as const
  const RECOVERY = { ...TOTP, limit: 'recovery_code_per_account' } as const
  beforeEach(() => start(readConfig({}).policy.limits))

  /** Wrong tries one after the other, for as long as any is looked at; returns what they closed. */
  async function failOn(allowances: Allowance[]) {
    const locks = []
    for (;;) {
      const taken = await here.takeAll(allowances)
      if (!taken.ok) return { locks, wait: taken.wait }
      locks.push(await elsewhere.fail(taken))
    }
  }

  test('pauses after five wrong codes, and closes for fifteen minutes after ten', async () => {
    const first = await failOn([TOTP, TOTP_IN_A_ROW])
    expect(first.locks).toEqual([null, null, null, null, null])
    expect(first.wait).toBeLessThanOrEqual(300)
    await pass(5 * MINUTE)
    const second = await failOn([TOTP, TOTP_IN_A_ROW])
    expect(second).toEqual({ locks: [null, null, null, null, 'soft'], wait: 900 })
  })

  test('T045: looks at five of two hundred codes that arrive together, and counts no more towards the end', async () => {
    await here.count(TOTP_IN_A_ROW, 90)
    const all = await together(200, (at) => at.takeAll([TOTP, TOTP_IN_A_ROW]))
    expect(all.filter(({ ok }) => ok)).toHaveLength(5)
    expect(all.filter((taken) => (taken.ok ? taken.last.length : taken.untilReset))).toEqual([])
    expect(await points('totp_in_a_row:%')).toEqual([95])
  })

  test('R013: is closed for good by a hundred wrong codes in a row, also without a pace', async () => {
    const locks: (string | null)[] = []
    let refused: Taken
    for (;;) {
      const taken = await here.takeAll([TOTP_IN_A_ROW])
      refused = taken
      if (!taken.ok) break
      locks.push(await elsewhere.fail(taken))
    }
    expect(locks).toEqual([...Array(99).fill(null), 'disabled'])
    expect(refused).toMatchObject({ untilReset: true })
    await elsewhere.forget(TOTP_IN_A_ROW)
    expect((await here.takeAll([TOTP_IN_A_ROW])).ok).toBe(true)
  })

  test('asks for an hour after five wrong recovery codes, not for a day', async () => {
    const { locks, wait } = await failOn([RECOVERY])
    expect(locks).toEqual([null, null, null, null, null])
    expect(wait).toBeLessThanOrEqual(3600)
    await pass(HOUR)
    expect(await here.take(RECOVERY)).toBeNull()
  })
})

describe('a network', () => {
  test('without a block waits for the rest of its window', async () => {
    await take(8, NETWORK)
    await pass(MINUTE / 2)
    expect(await here.take(NETWORK)).toBeLessThanOrEqual(30)
  })

  test('is the /64 of an IPv6 address, and one address of IPv4', async () => {
    const at = (address: string) => here.take({ ...NETWORK, key: networkOf(address) })
    for (let host = 1; host <= 8; host++) expect(await at(`2001:db8:0:1::${host}`)).toBeNull()
    expect(await at('2001:db8:0:1:ffff::9')).not.toBeNull()
    expect(await at('2001:db8:0:2::9')).toBeNull()
    expect(await at('192.0.2.7')).toBeNull()
  })

  test('that used up its tries is remembered by the process that refused it, for as long as that is true', async () => {
    expect(here.waitKnownHere(NETWORK)).toBeNull()
    await take(8, NETWORK)
    expect(await here.take(NETWORK)).not.toBeNull()
    const asked = vi.spyOn(pools[0], 'query')
    expect(await here.take(NETWORK)).toBeGreaterThan(50)
    expect(here.waitKnownHere(NETWORK)).toBeGreaterThan(50)
    expect(asked).not.toHaveBeenCalled()
    asked.mockRestore()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + MINUTE })
    expect(here.waitKnownHere(NETWORK)).toBeNull()
    vi.useRealTimers()
  })

  test('an account never is: a success or a reset elsewhere opens it at once', async () => {
    await take(12)
    expect(here.waitKnownHere(ACCOUNT)).toBeNull()
    await elsewhere.forget(ACCOUNT)
    expect(await here.take(ACCOUNT)).toBeNull()
  })
})

test('one try of an honest person costs one statement when it begins and one when it ends', async () => {
  const all = [IN_A_ROW, ACCOUNT, NETWORK]
  const asked = vi.spyOn(pools[0], 'query')
  await here.takeAll(all)
  expect(asked).toHaveBeenCalledTimes(2)
  await Promise.all(all.map((allowance) => here.succeed(allowance)))
  expect(asked).toHaveBeenCalledTimes(3)
  asked.mockRestore()
})

test('what has happened already is counted, and one of all instances hears that it was too much', async () => {
  const all = { limit: 'password_failures', key: '' } as const
  const heard = await together(40, (at) => at.count(all, 20))
  expect(heard.filter(Boolean)).toHaveLength(1)
  await pass(5 * MINUTE)
  expect(await here.count(all, 300)).toBe(false)
  expect(await here.count(all, 1)).toBe(true)
})

test('how long a limit closes for is told of those windows that close', () => {
  const [short, blocking] = CONFIG.totp_per_account as [LimitWindow, LimitWindow]
  expect(longestClosure([short, blocking])).toBe(15 * MINUTE)
  expect(longestClosure([short])).toBe(5 * MINUTE)
  expect(longestClosure([short, { ...blocking, block: 0 }])).toBe(0)
})

test('what is counted in one process leaves no trace in the database', async () => {
  const client = { limit: 'tokens_per_client', key: 'web' } as const
  expect(admitted(await Promise.all(Array.from({ length: 120 }, () => here.takeHere(client))))).toBe(100)
  expect(await elsewhere.takeHere(client)).toBeNull()
  expect(await points()).toEqual([])
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

test('a database that does not answer leaves a quarter of the tries, counted here, and a pace', async () => {
  const nowhere = new Pool({ host: '127.0.0.1', port: 1 })
  const warn = vi.fn()
  const alone = createLimits(nowhere, CONFIG, { ...silentLog, warn })
  const twenty = async (allowance: Allowance) =>
    admitted(await Promise.all(Array.from({ length: 20 }, () => alone.take(allowance))))
  expect(await twenty(ACCOUNT)).toBe(1)
  expect(await twenty(NETWORK)).toBe(2)
  expect(await twenty({ ...IN_A_ROW, key: 'grace@example.test' })).toBe(2)
  await alone.succeed(ACCOUNT)
  expect(await twenty(ACCOUNT)).toBe(1)
  expect(warn).toHaveBeenCalled()
  await nowhere.end()
})

import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { readConfig } from '../config.ts'
import type { Database } from '../db/database.ts'
import { silentLog } from '../lib/log.ts'
import { watchFailures } from './anomaly.ts'
import { createLimits } from './store.ts'

let testDatabase: TestDatabase
let databases: Database[]
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  databases = [await testDatabase.open()]
  databases.push(testDatabase.url ? await testDatabase.open() : databases[0]!)
})
afterAll(() => testDatabase.drop())
beforeEach(() => databases[0]!.pool.query('delete from rate_limits'))

function watchAtAll(everyMs: number) {
  const onAnomaly = vi.fn(async () => {})
  const onError = vi.fn()
  const watches = databases.map(({ pool }) =>
    watchFailures({
      limits: createLimits(pool, readConfig({}).policy.limits, silentLog),
      onAnomaly,
      onError,
      everyMs,
    }),
  )
  const note = (times: number) => {
    for (let each = 0; each < times; each++) watches[each % 2]!.note()
  }
  return {
    watches,
    note,
    onAnomaly,
    onError,
    gather: () => Promise.all(watches.map((watch) => watch.stop())),
  }
}

test('T020: five hundred wrong passwords, whosever and from wherever, are one anomaly', async () => {
  const { note, gather, onAnomaly, onError } = watchAtAll(60_000)
  for (let slices = 0; slices < 10; slices++) {
    note(50)
    await gather()
    expect(onAnomaly).toHaveBeenCalledTimes(slices < 6 ? 0 : 1)
  }
  await databases[0]!.pool.query('update rate_limits set expire = expire - 300000')
  note(300)
  await gather()
  expect(onAnomaly).toHaveBeenCalledTimes(1)
  note(1)
  await gather()
  expect(onAnomaly).toHaveBeenCalledTimes(2)
  expect(onError).not.toHaveBeenCalled()
})

test('noting one asks nobody anything; they are counted together a little later, in one statement', async () => {
  const { note, onAnomaly } = watchAtAll(5)
  const asked = vi.spyOn(databases[0]!.pool, 'query')
  note(800)
  expect(asked).not.toHaveBeenCalled()
  await vi.waitFor(() => expect(onAnomaly).toHaveBeenCalledTimes(1))
  expect(asked.mock.calls.length).toBeLessThanOrEqual(2)
  asked.mockRestore()
})

test('what goes wrong in counting is told, and hurts no sign-in', async () => {
  const onError = vi.fn()
  const count = () => Promise.reject(new Error('no'))
  const watch = watchFailures({ limits: { count }, onAnomaly: async () => {}, onError, everyMs: 1 })
  watch.note()
  await vi.waitFor(() => expect(onError).toHaveBeenCalledTimes(1))
  watch.note()
  await watch.stop()
  expect(onError).toHaveBeenCalledTimes(2)
})

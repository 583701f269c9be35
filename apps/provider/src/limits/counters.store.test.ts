import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { MINUTE } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import { type Counters, createCounters } from './counters.store.ts'

let testDatabase: TestDatabase
let pools: [Pool, Pool]
let all: [Counters, Counters]
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  const { pool } = await testDatabase.open()
  pools = [pool, testDatabase.url ? (await testDatabase.open()).pool : pool]
  all = [createCounters(pools[0], silentLog), createCounters(pools[1], silentLog)]
})
afterAll(() => testDatabase.drop())
beforeEach(() => pools[0].query('delete from rate_limits'))

const at = (index: number) => all[index % 2]!
const kept = async () =>
  Object.fromEntries(
    (await pools[0].query('select key, points from rate_limits')).rows.map(({ key, points }) => [
      key,
      points,
    ]),
  )

test('each of those who add in one moment hears another count, at two instances as at one', async () => {
  const counts = await Promise.all(Array.from({ length: 200 }, (_, index) => at(index).add('one', 1, MINUTE)))
  expect(counts.map(({ points }) => points).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 200 }, (_, index) => index + 1),
  )
})

test('they share one statement, and whoever asked first hears the smaller count', async () => {
  const asked = vi.spyOn(pools[0], 'query')
  const counts = await Promise.all([
    at(0).add('one', 2, MINUTE),
    at(0).add('two', 1, MINUTE),
    at(0).add('one', 3, 1),
  ])
  expect(asked).toHaveBeenCalledTimes(1)
  expect(counts.map(({ points }) => points)).toEqual([2, 1, 5])
  expect(counts[2]!.left).toBeGreaterThan(MINUTE / 2)
  asked.mockRestore()
})

test('statements over the same rows, in any order and at once, never wait for each other for ever', async () => {
  const names = Array.from({ length: 30 }, (_, index) => `key ${index}`)
  for (let rounds = 0; rounds < 15; rounds++) {
    const asked = [0, 1].flatMap((instance) => {
      const mixed = names.toSorted(() => Math.random() - 0.5)
      return mixed.flatMap((key) => [
        at(instance).add(key, 2, MINUTE),
        ...(rounds % 3 === 2 ? [at(instance).remove(key)] : [at(instance).giveBack(key, 1)]),
      ])
    })
    await Promise.all(asked)
  }
})

test('what is added and given back by two instances at once is not lost', async () => {
  await Promise.all([at(0).add('one', 50, MINUTE), at(1).add('two', 50, MINUTE)])
  await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      index % 3
        ? at(index).add(index % 2 ? 'one' : 'two', 1, MINUTE)
        : at(index).giveBack(index % 2 ? 'one' : 'two', 1),
    ),
  )
  expect(await kept()).toEqual({ one: 60, two: 60 })
})

test('nothing is given back to what is over, gone or empty', async () => {
  await at(0).giveBack('gone', 1)
  await at(0).add('over', 5, MINUTE)
  await pools[0].query('update rate_limits set expire = expire - $1', [2 * MINUTE])
  await at(0).add('empty', 1, MINUTE)
  await at(1).giveBack('over', 1)
  await at(1).giveBack('empty', 3)
  expect(await kept()).toEqual({ over: 5, empty: 0 })
  expect(await at(0).add('over', 1, MINUTE)).toMatchObject({ points: 1 })
})

test('removing tells whether there was something, and takes precedence over what is given back', async () => {
  await at(0).add('one', 5, MINUTE)
  const answers = await Promise.all([at(0).giveBack('one', 1), at(0).remove('one'), at(0).remove('two')])
  expect(answers.slice(1)).toEqual([true, false])
  expect(await kept()).toEqual({})
})

import { expect, test } from 'vitest'
import { silentLog } from '../lib/log.ts'
import { createRecoveryNews } from './recoveries.ts'

const going = () => new AbortController().signal

/** A queue of recoveries that are due; `broken` ones stay so. */
function due(ids: string[], broken: string[] = []) {
  const told: string[] = []
  const recoveries = {
    listDue: async (limit: number) => ids.filter((id) => !told.includes(id)).slice(0, limit),
    tellDue: async (id: string) => {
      if (broken.includes(id)) throw new Error('no')
      told.push(id)
      return true
    },
  }
  return { told, recoveries }
}

test('one run tells of all that are due, however many', async () => {
  const ids = ['a', 'b', 'c', 'd', 'e']
  const { told, recoveries } = due(ids)
  await createRecoveryNews({ recoveries, log: silentLog, size: 2 }).run(going())
  expect(told).toEqual(ids)
})

test('one that cannot be told of does not keep the others from it', async () => {
  const { told, recoveries } = due(['a', 'b', 'c'], ['a'])
  await createRecoveryNews({ recoveries, log: silentLog, size: 10 }).run(going())
  expect(told).toEqual(['b', 'c'])
})

test('it leaves when it is told to', async () => {
  const { told, recoveries } = due(['a'])
  await createRecoveryNews({ recoveries, log: silentLog }).run(AbortSignal.abort())
  expect(told).toEqual([])
})

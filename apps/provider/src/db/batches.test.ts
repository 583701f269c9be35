import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { type BatchOptions, createBatches } from './batches.ts'

const WAIT = 2000

afterEach(() => {
  vi.useRealTimers()
})

/** Long enough for whatever follows from what was done: an answer is handed on, the next batch leaves. */
async function turn() {
  await nextTurn()
  await nextTurn()
}

/** Batches leave for nowhere; the test says when each comes back. A job's key is its first letter. */
function station(options: Partial<BatchOptions<string, string>> = {}) {
  const sent: { jobs: string[]; arrive(): Promise<void>; fail(error: Error): Promise<void> }[] = []
  const ask = createBatches<string, string>({
    send: (jobs) =>
      new Promise((resolve, reject) => {
        sent.push({
          jobs,
          async arrive() {
            resolve(jobs.map((job) => `${job} done`))
            await turn()
          },
          async fail(error) {
            reject(error)
            await turn()
          },
        })
      }),
    lanes: 1,
    size: 10,
    ...options,
  })
  return { ask, sent, batches: () => sent.map(({ jobs }) => jobs.join(' ')) }
}

const byLetter = (job: string) => [job[0]!]

test('what is asked for in one turn travels together, and each gets its own answer', async () => {
  const { ask, sent, batches } = station()
  const answers = [ask('a'), Promise.resolve().then(() => ask('b')), ask('c')]
  await turn()
  expect(batches()).toEqual(['a c b'])
  await sent[0]!.arrive()
  expect(await Promise.all(answers)).toEqual(['a done', 'b done', 'c done'])
})

test('nothing is sent for nobody, and who comes alone is sent alone', async () => {
  const { ask, sent, batches } = station()
  const first = ask('a')
  await turn()
  await sent[0]!.arrive()
  await turn()
  expect(batches()).toEqual(['a'])
  expect(await first).toBe('a done')
})

test('while the lanes are busy the next gather, and leave as soon as one is free', async () => {
  const { ask, sent, batches } = station({ lanes: 2 })
  const answers: Promise<string>[] = []
  for (const job of ['a', 'b', 'c', 'd']) {
    answers.push(ask(job))
    await turn()
  }
  expect(batches()).toEqual(['a', 'b'])
  answers.push(ask('e'))
  await sent[1]!.arrive()
  expect(batches()).toEqual(['a', 'b', 'c d e'])
  await sent[2]!.arrive()
  await sent[0]!.arrive()
  expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd', 'e'].map((job) => `${job} done`))
})

test('a batch has no more than its size; the others leave by the next lane, first come first served', async () => {
  const { ask, sent, batches } = station({ lanes: 2, size: 2 })
  const answers = ['a', 'b', 'c', 'd', 'e'].map(ask)
  await turn()
  expect(batches()).toEqual(['a b', 'c d'])
  await sent[0]!.arrive()
  expect(batches()).toEqual(['a b', 'c d', 'e'])
  await sent[1]!.arrive()
  await sent[2]!.arrive()
  expect(await Promise.all(answers)).toHaveLength(5)
})

test('jobs that share a key never travel together, and leave in the order they came', async () => {
  const { ask, sent, batches } = station({ keysOf: byLetter })
  for (const job of ['a1', 'b1', 'a2', 'c1', 'a3', 'b2']) void ask(job)
  await turn()
  await sent[0]!.arrive()
  await sent[1]!.arrive()
  expect(batches()).toEqual(['a1 b1 c1', 'a2 b2', 'a3'])
})

test('who waits for a key is not overtaken by one that came later and shares only the other key', async () => {
  const { ask, sent, batches } = station({ keysOf: (job) => [...job] })
  for (const job of ['a', 'ab', 'b']) void ask(job)
  await turn()
  await sent[0]!.arrive()
  await sent[1]!.arrive()
  expect(batches()).toEqual(['a', 'ab', 'b'])
})

test('a batch that fails fails exactly its own jobs, and its lane is free again', async () => {
  const { ask, sent } = station({ size: 2 })
  const outcomes = Promise.allSettled(['a', 'b', 'c'].map(ask))
  await turn()
  const error = new Error('lost')
  await sent[0]!.fail(error)
  await sent[1]!.arrive()
  expect(await outcomes).toEqual([
    { status: 'rejected', reason: error },
    { status: 'rejected', reason: error },
    { status: 'fulfilled', value: 'c done' },
  ])
})

test('who waits two seconds for a lane is told so, and is never sent afterwards', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { ask, sent, batches } = station()
  const first = ask('a')
  await turn()
  const told = vi.fn()
  ask('b').catch(told)
  vi.advanceTimersByTime(WAIT - 1)
  await turn()
  expect(told).not.toHaveBeenCalled()
  const third = ask('c')
  vi.advanceTimersByTime(1)
  await turn()
  expect(told).toHaveBeenCalledWith(expect.objectContaining({ code: 'ETIMEDOUT' }))
  await sent[0]!.arrive()
  await sent[1]!.arrive()
  expect(await Promise.all([first, third])).toEqual(['a done', 'c done'])
  expect(batches()).toEqual(['a', 'c'])
})

test.each<[string, Partial<BatchOptions<string, string>>]>([
  ['because it shares a key', { keysOf: () => ['the same'] }],
  ['because the batch is full', { size: 1 }],
])('so is who is left behind %s, although a lane was free when it came', async (_, options) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { ask, sent, batches } = station(options)
  const first = ask('a')
  const told = vi.fn()
  ask('b').catch(told)
  await turn()
  vi.advanceTimersByTime(WAIT)
  await turn()
  expect(told).toHaveBeenCalledWith(expect.objectContaining({ code: 'ETIMEDOUT' }))
  await sent[0]!.arrive()
  await first
  expect(batches()).toEqual(['a'])
})

test('who is on the way waits for the answer, however long it takes', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { ask, sent } = station()
  const first = ask('a')
  await turn()
  const second = ask('b')
  await sent[0]!.arrive()
  vi.advanceTimersByTime(10 * WAIT)
  await sent[1]!.arrive()
  expect(await Promise.all([first, second])).toEqual(['a done', 'b done'])
  expect(vi.getTimerCount()).toBe(0)
})

import { expect, test, vi } from 'vitest'
import { type Log, silentLog } from '../lib/log.ts'
import { repeat } from './repeat.ts'

const job = (run: (signal: AbortSignal) => Promise<void>, every = 1) => ({ name: 'work', every, run })

test('a job comes again and again, also after it failed, and the log is told of that', async () => {
  const errors: unknown[] = []
  const log = { ...silentLog, error: (what: unknown) => errors.push(what) } as unknown as Log
  let runs = 0
  const repetition = repeat(
    job(async () => {
      runs++
      if (runs === 2) throw new Error('not now')
    }),
    log,
  )
  await vi.waitFor(() => expect(runs).toBeGreaterThan(3))
  await repetition.stop()
  expect(errors).toEqual([{ err: new Error('not now'), job: 'work' }])
})

test('stopping tells the run under way and waits for it, and none comes after', async () => {
  const told = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<void>()
  let runs = 0
  const repetition = repeat(
    job(async (signal) => {
      runs++
      signal.addEventListener('abort', () => told.resolve())
      begun.resolve()
      await finish.promise
    }),
    silentLog,
  )
  await begun.promise
  let gone = false
  const stopped = repetition.stop().then(() => (gone = true))
  await told.promise
  expect(gone).toBe(false)
  finish.resolve()
  await stopped
  expect(runs).toBe(1)
})

test('stopping while nothing is under way waits for nothing', async () => {
  const run = vi.fn(async () => {})
  await repeat(job(run, 1_000_000), silentLog).stop()
  expect(run).not.toHaveBeenCalled()
})

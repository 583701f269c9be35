import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { SECOND } from '../lib/clock.ts'
import { createBatches } from './batches.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('whoever may not travel with the others waits no longer than anybody else', async () => {
  const run = createBatches<string, string>({
    lanes: 1,
    size: 10,
    keysOf: (job) => [job],
    send: () => new Promise(() => {}),
  })
  const outcomes: string[] = []
  for (let index = 0; index < 3; index++)
    run('the same row').catch(({ code }: { code: string }) => outcomes.push(code))
  await vi.advanceTimersByTimeAsync(2 * SECOND - 1)
  expect(outcomes).toEqual([])
  await vi.advanceTimersByTimeAsync(SECOND)
  // The first one is under way; how long that may take is the connection's business.
  expect(outcomes).toEqual(['ETIMEDOUT', 'ETIMEDOUT'])
})

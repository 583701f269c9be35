import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startCluster, type Worker, WorkerFailed } from './cluster.ts'
import { SECOND } from './lib/clock.ts'
import { silentLog } from './lib/log.ts'

type FakeWorker = ReturnType<typeof createWorker>

/** A worker whose life the test tells: it comes up, it is told things, it ends. */
function createWorker(pid: number) {
  const emitter = new EventEmitter()
  const told: string[] = []
  return Object.assign(emitter, {
    told,
    process: { pid, kill: () => emitter.emit('exit', null, 'SIGKILL') },
    send: (order: string) => told.push(order) > 0,
    comesUp: () => emitter.emit('message', { port: 4000 }),
    ends: (code: number) => emitter.emit('exit', code, null),
  })
}

let workers: FakeWorker[]
let pauses: number[]
let time: number
const log = { ...silentLog, error: vi.fn() }
beforeEach(() => {
  workers = []
  pauses = []
  time = 0
})
afterEach(() => vi.clearAllMocks())

const nth = (index: number) => vi.waitFor(() => workers[index] ?? Promise.reject(new Error('not yet')))

const start = (size = 2) =>
  startCluster({
    size,
    log,
    now: () => new Date(time),
    wait: async (ms) => pauses.push(ms),
    fork: () => {
      const worker = createWorker(workers.length)
      workers.push(worker)
      return worker as unknown as Worker
    },
  })

/** Two that have served long enough to be trusted. */
async function startSteady() {
  const starting = start()
  for (const index of [0, 1]) (await nth(index)).comesUp()
  const cluster = await starting
  time += 10 * SECOND
  return cluster
}

/** Everything that was to happen at once has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('the start', () => {
  test('lets one worker go ahead and the others follow', async () => {
    const starting = start(3)
    await settled()
    expect(workers).toHaveLength(1)
    workers[0]!.comesUp()
    await settled()
    expect(workers).toHaveLength(3)
    for (const index of [1, 2]) workers[index]!.comesUp()
    expect((await starting).port).toBe(4000)
  })

  test('fails with the first worker, and with its exit code', async () => {
    const starting = start()
    workers[0]!.ends(78)
    await expect(starting).rejects.toMatchObject({ name: 'WorkerFailed', exitCode: 78 })
    expect(workers).toHaveLength(1)
  })
})

describe('a worker that dies', () => {
  test('is replaced at once when it had served for a while', async () => {
    await startSteady()
    workers[1]!.process.kill()
    await nth(2)
    expect(pauses).toEqual([0])
  })

  test('is tried again with ever longer pauses, for as long as another one serves', async () => {
    await startSteady()
    workers[1]!.ends(1)
    for (let index = 2; index < 14; index++) (await nth(index)).ends(1)
    const twelfth = await nth(14)
    expect(pauses.slice(0, 5)).toEqual([0, 100, 200, 400, 800])
    expect(Math.max(...pauses)).toBe(10 * SECOND)
    twelfth.comesUp()
    await settled()
    expect(workers).toHaveLength(15)
  })

  test('soon after it began to serve counts as one that never did', async () => {
    const cluster = await startSteady()
    for (const index of [0, 1]) workers[index]!.ends(1)
    for (let index = 2; index < 7; index++) {
      const worker = await nth(index)
      worker.comesUp()
      await settled()
      worker.ends(3)
    }
    await expect(cluster.gaveUp).rejects.toThrow(WorkerFailed)
    await expect(cluster.gaveUp).rejects.toMatchObject({ exitCode: 3 })
  })
})

describe('renewal', () => {
  test('lets an old worker go only when its successor serves, one after the other', async () => {
    const cluster = await startSteady()
    const renewal = cluster.renew()
    for (const index of [0, 1]) {
      const [old, successor] = [workers[index]!, await nth(index + 2)]
      await settled()
      expect(old.told).toEqual([])
      successor.comesUp()
      await vi.waitFor(() => expect(old.told).toEqual(['hand over']))
      expect(workers).toHaveLength(index + 3)
      old.ends(0)
    }
    await renewal
    expect(workers).toHaveLength(4)
    expect(log.error).not.toHaveBeenCalled()
  })

  test('that cannot start a successor keeps the old workers', async () => {
    const cluster = await startSteady()
    const renewal = cluster.renew()
    ;(await nth(2)).ends(78)
    await renewal
    expect([workers.length, ...workers.map(({ told }) => told.length)]).toEqual([3, 0, 0, 0])
    expect(log.error).toHaveBeenCalledOnce()
  })

  test('does not replace twice a worker that dies while its successor starts', async () => {
    const cluster = await startSteady()
    const renewal = cluster.renew()
    const successor = await nth(2)
    workers[0]!.ends(1)
    successor.comesUp()
    ;(await nth(3)).comesUp()
    await vi.waitFor(() => expect(workers[1]!.told).toEqual(['hand over']))
    workers[1]!.ends(0)
    await renewal
    expect(workers).toHaveLength(4)
  })

  test('replaces a worker that died while its successor failed', async () => {
    const cluster = await startSteady()
    const renewal = cluster.renew()
    const successor = await nth(2)
    workers[0]!.ends(1)
    successor.ends(1)
    await renewal
    await nth(3)
  })

  test('asked for during another one follows it', async () => {
    const cluster = await startSteady()
    const renewals = [cluster.renew(), cluster.renew()]
    for (let index = 0; index < 4; index++) {
      ;(await nth(index + 2)).comesUp()
      await vi.waitFor(() => expect(workers[index]!.told).toEqual(['hand over']))
      workers[index]!.ends(0)
    }
    await Promise.all(renewals)
    expect(workers).toHaveLength(6)
  })
})

describe('the stop', () => {
  test('tells all at once, waits for all, and replaces nobody', async () => {
    const cluster = await startSteady()
    const stopped = cluster.stop()
    expect(workers.map(({ told }) => told)).toEqual([['stop'], ['stop']])
    workers[0]!.ends(0)
    const first = await Promise.race([stopped, settled().then(() => 'still waiting')])
    expect(first).toBe('still waiting')
    workers[1]!.ends(0)
    await stopped
    expect(workers).toHaveLength(2)
  })

  test('is no success when a worker did not end as it should', async () => {
    const cluster = await startSteady()
    const stopped = cluster.stop()
    workers[0]!.ends(0)
    workers[1]!.process.kill()
    await expect(stopped).rejects.toThrow('SIGKILL')
  })

  test('during a start includes who starts', async () => {
    const cluster = await startSteady()
    workers[1]!.ends(1)
    const starting = await nth(2)
    const stopped = cluster.stop()
    expect(starting.told).toEqual(['stop'])
    starting.ends(0)
    workers[0]!.ends(0)
    await stopped
    expect(workers).toHaveLength(3)
  })

  test('does not wait for ever for a worker that hangs', async () => {
    const cluster = await startSteady()
    vi.useFakeTimers()
    try {
      const stopped = cluster.stop()
      const outcome = expect(stopped).rejects.toThrow('SIGKILL')
      workers[0]!.ends(0)
      await vi.advanceTimersByTimeAsync(34 * SECOND)
      await outcome
    } finally {
      vi.useRealTimers()
    }
  })
})

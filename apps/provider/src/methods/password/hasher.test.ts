import argon2 from 'argon2'
import { describe, expect, test } from 'vitest'
import { Problem } from '../../http/problem.ts'
import { createHasher, createSlots } from './hasher.ts'

const CAPACITY = { slots: 2, queue: 64, waitMs: 10_000 }
const hasher = createHasher(CAPACITY)

describe('a password hash', () => {
  test('T136: is argon2id with at least 46 MiB, one pass and a salt of its own (ASVS 11.4.2)', async () => {
    const [one, two] = await Promise.all([hasher.hash('secret'), hasher.hash('secret')])
    const [, type, version, parameters] = one.split('$')
    expect([type, version]).toEqual(['argon2id', 'v=19'])
    expect(parameters?.split(',').sort()).toEqual(['m=47104', 'p=1', 't=1'])
    expect(two.split('$')[4]).not.toBe(one.split('$')[4])
    expect(Buffer.from(one.split('$')[4]!, 'base64')).toHaveLength(16)
  })

  test('R007: verifies the whole password, its case and what comes after 72 bytes', async () => {
    const long = `${'seven orange umbrellas '.repeat(4)}at noon`
    const hash = await hasher.hash(long)
    expect(await hasher.verify(hash, long)).toBe(true)
    expect(await hasher.verify(hash, `${long.slice(0, -1)}m`)).toBe(false)
    expect(await hasher.verify(hash, long.toUpperCase())).toBe(false)
    expect(await hasher.verify(hash, long.slice(0, 72))).toBe(false)
  })

  test('is outdated when it was made with less than today’s parameters', async () => {
    const weak = await argon2.hash('secret', { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 })
    expect(hasher.isOutdated(weak)).toBe(true)
    expect(hasher.isOutdated(await hasher.hash('secret'))).toBe(false)
  })
})

/** Works that begin when they get their slot and end when the test says so. */
function createWorks(slots: ReturnType<typeof createSlots>) {
  const begun: { name: number; end: () => void; fail: () => void }[] = []
  const start = (name: number) =>
    slots(
      () =>
        new Promise<number>((resolve, reject) =>
          begun.push({ name, end: () => resolve(name), fail: () => reject(new Error('failed')) }),
        ),
    )
  return { begun, start, names: () => begun.map(({ name }) => name) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('T142: slots', () => {
  test('run as many works at once as there are, the others in turn', async () => {
    const { begun, start, names } = createWorks(createSlots({ slots: 2, queue: 8, waitMs: 10_000 }))
    const all = [1, 2, 3, 4].map(start)
    expect(names()).toEqual([1, 2])
    begun[1]!.end()
    await turn()
    expect(names()).toEqual([1, 2, 3])
    begun[0]!.end()
    begun[2]!.end()
    await turn()
    begun[3]!.end()
    expect(await Promise.all(all)).toEqual([1, 2, 3, 4])
  })

  test('turn away at once whoever finds the queue full, with a time to come back', async () => {
    const { begun, start, names } = createWorks(createSlots({ slots: 1, queue: 1, waitMs: 2000 }))
    const admitted = [start(1), start(2)]
    const refusal = await start(3).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(Problem)
    expect(refusal).toMatchObject({ status: 503, retryAfter: 2 })
    begun[0]!.end()
    await turn()
    begun[1]!.end()
    expect(await Promise.all(admitted)).toEqual([1, 2])
    expect(names()).not.toContain(3)
  })

  test('turn away whoever has waited too long, who leaves no trace in the queue', async () => {
    const { begun, start, names } = createWorks(createSlots({ slots: 1, queue: 1, waitMs: 20 }))
    const first = start(1)
    await expect(start(2)).rejects.toMatchObject({ status: 503, retryAfter: 1 })
    const third = start(3)
    begun[0]!.end()
    await turn()
    begun[1]!.end()
    expect(await Promise.all([first, third])).toEqual([1, 3])
    expect(names()).toEqual([1, 3])
  })

  test('are free again after a work that failed', async () => {
    const { begun, start } = createWorks(createSlots({ slots: 1, queue: 0, waitMs: 20 }))
    const first = start(1)
    begun[0]!.fail()
    await expect(first).rejects.toThrow('failed')
    const second = start(2)
    begun[1]!.end()
    expect(await second).toBe(2)
  })

  test('never admit more than there are, however works end and begin', async () => {
    const slots = createSlots({ slots: 3, queue: 100, waitMs: 10_000 })
    let [now, most] = [0, 0]
    const work = () =>
      slots(async () => {
        most = Math.max(most, ++now)
        for (let turns = Math.random() * 5; turns > 0; turns--) await turn()
        now--
        if (Math.random() < 0.3) throw new Error('failed')
      }).catch(() => undefined)
    await Promise.all(Array.from({ length: 100 }, work))
    expect([now, most]).toEqual([0, 3])
  })
})

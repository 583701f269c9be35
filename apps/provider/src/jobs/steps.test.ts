import { expect, test } from 'vitest'
import { createWalk, restNineTenths, type Step } from './steps.ts'

const NOWHERE = { query: () => Promise.reject(new Error('no statement is sent here')) }
const noRest = async () => {}
const going = () => new AbortController().signal

/** Walks 1, 2, 3 … to `end`, one row each. */
const countTo =
  (end: number, seen: (number | null)[]): Step<number> =>
  async (_, after) => {
    seen.push(after)
    const place = (after ?? 0) + 1
    return place > end ? { changed: 0, next: null, more: false } : { changed: 1, next: place, more: true }
  }

test('a walk goes on from step to step until there is no more', async () => {
  const seen: (number | null)[] = []
  expect(await createWalk(countTo(3, seen))(NOWHERE, noRest, going())).toBe(3)
  expect(seen).toEqual([null, 1, 2, 3])
})

test('it rests between two steps, for longer the longer the last one took, and not after the last', async () => {
  const rests: number[] = []
  await createWalk(countTo(2, []))(NOWHERE, async (busy) => rests.push(busy), going())
  expect(rests).toHaveLength(2)
  for (const busy of rests) expect(busy).toBeGreaterThanOrEqual(0)
})

test('told to stop it finishes its step and takes no other; the next walk goes on at this place', async () => {
  const stopping = new AbortController()
  const seen: (number | null)[] = []
  const walk = createWalk(countTo(4, seen))
  const stopAfterTwo = async () => {
    if (seen.length === 2) stopping.abort()
  }
  expect(await walk(NOWHERE, stopAfterTwo, stopping.signal)).toBe(2)
  expect(seen).toEqual([null, 1])
  expect(await walk(NOWHERE, noRest, going())).toBe(2)
  expect(seen).toEqual([null, 1, 2, 3, 4])
})

test('a step that fails is taken again by the next walk', async () => {
  const seen: (number | null)[] = []
  const count = countTo(3, seen)
  let fails = true
  const walk = createWalk<number>(async (connection, after) => {
    if (after === 2 && fails) throw new Error('not now')
    return count(connection, after)
  })
  await expect(walk(NOWHERE, noRest, going())).rejects.toThrow('not now')
  fails = false
  expect(await walk(NOWHERE, noRest, going())).toBe(1)
  expect(seen).toEqual([null, 1, 2, 3])
})

test('a rest ends with the signal', async () => {
  const stopping = new AbortController()
  const resting = restNineTenths(1_000_000, stopping.signal)
  stopping.abort()
  await resting
})

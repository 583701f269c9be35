import { randomInt } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { startChild } from '../../test/support/child.ts'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from '../../test/support/database.ts'

const program = new URL('./test-programs/write-rows.ts', import.meta.url)
const hasServer = (await realPostgresUrl()) !== null

const ROUNDS = 5
const ROWS_MAX = 100

let database: TestDatabase

afterEach(() => database.drop())

describe.each([
  { kind: 'embedded' as const, there: true },
  { kind: 'any' as const, there: hasServer },
])('$kind database', ({ kind, there }) => {
  test.skipIf(!there)(
    'nothing acknowledged is lost when the process is killed at any moment and started again',
    async () => {
      database = await createTestDatabase(kind)
      const acknowledged: string[] = []
      for (let round = 0; round < ROUNDS; round++) acknowledged.push(...(await writeUntilKilled()))

      const { pool } = await database.open()
      const { rows } = await pool.query<{ id: string }>('select id from acknowledged')
      const kept = new Set(rows.map(({ id }) => id))
      expect(acknowledged.length).toBeGreaterThanOrEqual(ROUNDS)
      expect(acknowledged.filter((id) => !kept.has(id))).toEqual([])
    },
    60_000,
  )
})

/** The ids a process said before it was killed, after a random number of them and with others on their way. */
async function writeUntilKilled(): Promise<string[]> {
  const child = startChild(program, [database.dataDir, ...(database.url ? [database.url] : [])])
  const enough = randomInt(1, ROWS_MAX)
  await expect.poll(() => child.lines.length, { timeout: 20_000, interval: 1 }).toBeGreaterThanOrEqual(enough)
  await child.kill('SIGKILL')
  expect(child.lines.filter((line) => line.startsWith('stderr'))).toEqual([])
  return child.lines
}

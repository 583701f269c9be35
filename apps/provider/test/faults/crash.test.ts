// F01, F21, F22: one of two processes is killed every three seconds under load, answers get lost, requests come twice.
// What was not answered is not lost, and nothing counts twice: judged from what the relying parties wrote down, and from
// the rows that are left.
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from '../support/database.ts'
import { type Crowd, gather, type Servers, startServers } from './support/crowd.ts'
import { extent } from './support/extent.ts'
import { describeVerdict, judge } from './support/ledger.ts'
import { countFamilies, findHalfDone } from './support/rows.ts'

const PARTIES = extent(10, 30)
const KILLS = extent(5, 40)
const EVERY = 3000
const HABITS = { impatient: 0.1, deaf: 0.03, doubled: 0.1, curious: 0.1 }
const hasServer = (await realPostgresUrl()) !== null

describe.skipIf(!hasServer)('two processes (the embedded database serves one)', () => {
  let database: TestDatabase
  let servers: Servers
  let crowd: Crowd
  beforeAll(async () => {
    database = await createTestDatabase()
    servers = await startServers(2, database.url!)
    crowd = await gather(servers, PARTIES, () => HABITS)
  })
  afterAll(async () => {
    crowd?.leave()
    servers?.remove()
    await database?.drop()
  })

  /** In turn, and never both: the next one waits until the last one serves again. */
  async function killInTurn(): Promise<void> {
    for (let kill = 0; kill < KILLS; kill++) {
      const next = pause(EVERY)
      const victim = kill % 2
      servers.runs[victim]!.child.kill('SIGKILL')
      await servers.runs[victim]!.ended
      await servers.start(victim)
      await next
    }
  }

  test('killed in turn lose no family, spend nothing twice and leave nothing half-done', async () => {
    crowd.begin()
    await killInTurn()
    await crowd.end()
    const { uses } = crowd.ledger
    process.stdout.write(`${KILLS} kills; ${describeVerdict(uses)}\n`)

    const verdict = judge(uses)
    expect(verdict.doubleSpends).toEqual([])
    expect(verdict.lostFamilies).toEqual([])
    expect(verdict.undeserved).toEqual([])
    expect(verdict.failures).toEqual([])
    expect(verdict.unanswered).toEqual([])
    const cut = uses
      .flatMap(({ attempts }) => attempts)
      .filter(({ answer, neverSent, unheard }) => !answer && !neverSent && !unheard)
    expect(cut.length, 'the kills met nobody').toBeGreaterThan(0)

    expect(await findHalfDone(database.url!)).toEqual({})
    expect(await countFamilies(database.url!)).toBeGreaterThanOrEqual(PARTIES)
    for (const party of crowd.parties) expect(await party.refresh()).toBe(true)
    for (const party of crowd.parties) await party.look()
    expect(judge(uses).undeserved).toEqual([])
  }, 400_000)
})

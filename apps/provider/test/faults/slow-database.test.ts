// F05: a database far away means slow answers, and one too far away answers of 503; nobody waits without end.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OwnPostgres, startPostgres } from '../support/postgres.ts'
import { type Servers, startServers } from './support/crowd.ts'
import { canHurtPostgres, extent, isFull } from './support/extent.ts'
import { quantile } from './support/ledger.ts'
import { type SlowLink, startSlowLink } from './support/slow-link.ts'
import { endure } from './support/trial.ts'

describe.skipIf(!canHurtPostgres)(
  'a database (one of our own is needed, and hence PostgreSQL’s programs)',
  () => {
    let postgres: OwnPostgres
    let link: SlowLink
    let servers: Servers
    beforeAll(async () => {
      postgres = await startPostgres()
      link = await startSlowLink(postgres.url)
      servers = await startServers(1, link.url)
    })
    afterAll(async () => {
      servers?.remove()
      await link?.close()
      await postgres?.remove()
    })

    const slow = (roundTrip: number) =>
      endure(servers, postgres.url, {
        name: `${roundTrip} ms away`,
        strike: async () => link.slowDown(roundTrip),
        lasts: extent(3000, 20_000),
        heal: async () => link.slowDown(0),
      })

    test('200 ms away answers everybody', async () => {
      const { verdict, attempts, slowest } = await slow(200)
      expect(verdict.failures).toEqual([])
      expect(slowest).toBeGreaterThan(200)
      // Three or four round trips and a wait for a lane; on a machine that does other things besides it says nothing.
      if (isFull) expect(quantile(attempts, 0.99)).toBeLessThan(2000)
    }, 120_000)

    test('2 s away answers or refuses within the waits of the pool', async () => {
      const { slowest } = await slow(2000)
      expect(slowest).toBeGreaterThan(2000)
    }, 120_000)
  },
)

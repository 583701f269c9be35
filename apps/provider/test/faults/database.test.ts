// F03, F06, F08: the database stops, hangs, refuses writes or drops everybody under load. Each answer is right or a 503,
// never an OAuth error; afterwards everybody goes on by themselves.
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OwnPostgres, startPostgres } from '../support/postgres.ts'
import { type Servers, startServers } from './support/crowd.ts'
import { canHurtPostgres, extent } from './support/extent.ts'
import { endure } from './support/trial.ts'
import { ask } from './support/vitals.ts'

describe.skipIf(!canHurtPostgres)(
  'a database (one of our own is needed, and hence PostgreSQL’s programs)',
  () => {
    let postgres: OwnPostgres
    let servers: Servers
    beforeAll(async () => {
      postgres = await startPostgres()
      servers = await startServers(1, postgres.url)
    })
    afterAll(async () => {
      servers?.remove()
      await postgres?.remove()
    })

    test('that crashes and starts again costs answers of 503 and nothing else', async () => {
      const { verdict } = await endure(servers, postgres.url, {
        name: 'crash',
        strike: () => postgres.stop('immediate'),
        lasts: extent(2000, 5000),
        heal: () => postgres.start(),
      })
      expect(verdict.failures.length).toBeGreaterThan(0)
    }, 120_000)

    test('that hangs lets nobody wait longer than the pool does', async () => {
      const lasts = extent(3000, 20_000)
      const { slowest } = await endure(servers, postgres.url, {
        name: 'hang',
        strike: async () => postgres.pause(),
        lasts,
        heal: async () => postgres.resume(),
      })
      expect(slowest).toBeGreaterThan(Math.min(lasts, 10_000) / 2)
    }, 120_000)

    test('that is read-only answers questions and nothing else', async () => {
      let readOnly = { from: Number.POSITIVE_INFINITY, to: 0 }
      const { verdict, uses } = await endure(servers, postgres.url, {
        name: 'read-only',
        async strike() {
          await setReadOnly('on')
          readOnly = { from: Date.now() + SETTLED, to: Number.POSITIVE_INFINITY }
        },
        lasts: extent(2000, 10_000),
        async heal() {
          readOnly.to = Date.now()
          await setReadOnly('off')
        },
      })
      expect(verdict.failures.length).toBeGreaterThan(0)
      const answered = uses.filter(({ attempts }) =>
        attempts.some(
          ({ began, ended, answer }) =>
            began > readOnly.from && ended < readOnly.to && answer?.status === 200,
        ),
      )
      expect(new Set(answered.map(({ kind }) => kind))).toEqual(new Set(['question']))
    }, 120_000)

    test('that drops all connections, again and again, costs answers of 503 and nothing else', async () => {
      const { verdict } = await endure(servers, postgres.url, {
        name: 'dropped connections',
        async strike() {
          for (let round = 0; round < extent(10, 50); round++) {
            await ask(postgres.url, DROP)
            await pause(100)
          }
        },
        lasts: 0,
        heal: async () => {},
      })
      expect(verdict.failures.length).toBeGreaterThan(0)
    }, 120_000)

    async function setReadOnly(setting: 'on' | 'off') {
      await ask(postgres.url, `alter system set default_transaction_read_only = ${setting}`)
      await ask(postgres.url, 'select pg_reload_conf()')
    }
  },
)

/** Milliseconds until each of PostgreSQL's processes has read its new configuration. */
const SETTLED = 500
const DROP = `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'anteroom%'`

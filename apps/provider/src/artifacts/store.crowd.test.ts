// Many requests about the same rows, at several instances at once: each is answered, none is refused for the others' sake.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork, type UnitOfWork } from '../db/unit-of-work.ts'
import { rowId } from './artifact.ts'
import { type ArtifactStore, createArtifactStore } from './store.ts'

const HOUR = 3600
const FAMILIES = ['f0', 'f1', 'f2', 'f3', 'f4', 'f5']

type Instance = { work: UnitOfWork; store: ArtifactStore }

let place: TestDatabase
let database: Database
let instances: Instance[]

beforeAll(async () => {
  place = await createTestDatabase()
  database = await place.open()
  const databases = place.url ? [database, await place.open()] : [database]
  instances = databases.map((each) => {
    const work = createUnitOfWork(each)
    return { work, store: createArtifactStore(each.pool, work) }
  })
})
afterAll(() => place.drop())
beforeEach(() => database.pool.query('delete from artifacts'))

class Late extends Error {}
const lost = async () => {
  throw new Late()
}

/** Whatever else went wrong than being late. */
const failuresOf = async (units: Promise<unknown>[]) =>
  (await Promise.allSettled(units)).flatMap((outcome) =>
    outcome.status === 'rejected' && !(outcome.reason instanceof Late) ? [outcome.reason] : [],
  )

const crowd = <T>(size: number, ask: (instance: Instance, index: number) => Promise<T>) =>
  Array.from({ length: size }, (_, index) => ask(instances[index % instances.length]!, index))

const save = (store: ArtifactStore, kind: string, id: string, grantId?: string) =>
  store.upsert({ kind, id, payload: { jti: id, grantId, uid: id }, lifetime: HOUR })

test('one session read and saved by forty requests at once is there, as one of them saved it', async () => {
  await save(instances[0]!.store, 'Session', 's')
  const units = crowd(40, ({ work, store }, index) =>
    work.run(async () => {
      const session = await store.find('Session', 's')
      await store.upsert({
        kind: 'Session',
        id: 's',
        payload: { ...session!.payload, accountId: `${index}` },
        lifetime: HOUR,
      })
    }),
  )
  expect(await failuresOf(units)).toEqual([])
  expect((await instances[0]!.store.find('Session', 's'))?.payload.accountId).toMatch(/^\d+$/)
})

test('a session that forty requests renew at once is gone, and its successors are there', async () => {
  await save(instances[0]!.store, 'Session', 's')
  const units = crowd(40, ({ work, store }, index) =>
    work.run(async () => {
      await store.destroy('Session', 's')
      await save(store, 'Session', `s${index}`)
    }),
  )
  expect(await failuresOf(units)).toEqual([])
  const { rows } = await database.pool.query('select count(*)::int as count from artifacts')
  expect(rows).toEqual([{ count: 40 }])
})

test('families refreshed, repeated, replayed and revoked all at once: whoever is not late is served', async () => {
  const tokenOf = (family: string, round: number) => `${family} token ${round}`
  let served = 0
  for (let round = 0; round < 20; round++) {
    for (const family of FAMILIES) {
      const { store } = instances[0]!
      await save(store, 'Grant', family)
      await save(store, 'RefreshToken', tokenOf(family, round), family)
    }
    const units = crowd(72, ({ work, store }, index) => {
      const family = FAMILIES[index % FAMILIES.length]!
      const refresh = (token: string) =>
        work.run(async () => {
          await store.find('RefreshToken', token)
          await store.consume('RefreshToken', token, lost, rowId('RefreshToken', `${token}'`))
          await save(store, 'RefreshToken', `${token}'`, family)
          await save(store, 'AccessToken', `${family} ${round} ${index}`, family)
        })
      const ways = [
        () => refresh(tokenOf(family, round)),
        () => refresh(tokenOf(family, round - 1)),
        () => refresh(`${tokenOf(family, round - 1)}'`),
        () => store.consume('RefreshToken', tokenOf(family, round - 2), lost),
        () =>
          round % FAMILIES.length === index % FAMILIES.length
            ? store.revokeGrant(family)
            : refresh(`${tokenOf(family, round - 2)}'`),
      ]
      return ways[(index + round) % ways.length]!()
    })
    expect(await failuresOf(units)).toEqual([])
    served += (await Promise.allSettled(units)).filter(({ status }) => status === 'fulfilled').length
  }
  expect(served).toBeGreaterThan(500)
})

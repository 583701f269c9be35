// Whoever is to be dead after a changed credential is dead here: sessions and grants of an earlier generation are not found.
import { AsyncResource } from 'node:async_hooks'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork, type UnitOfWork } from '../db/unit-of-work.ts'
import { createUserStore, type UserStore } from '../users/store.ts'
import { keepSession } from './keep-session.ts'
import { type ArtifactStore, createArtifactStore } from './store.ts'

const HOUR = 3600

type Instance = { work: UnitOfWork; users: UserStore; store: ArtifactStore }

let place: TestDatabase
let database: Database
let one: Instance
let other: Instance
beforeAll(async () => {
  place = await createTestDatabase()
  database = await place.open()
  one = createInstance(database)
  other = createInstance(place.url ? await place.open() : database)
})
afterAll(() => place.drop())
beforeEach(async () => {
  await database.pool.query('truncate artifacts, users cascade')
  for (const id of ['ada', 'bob'])
    await database.prisma.user.create({ data: { id, email: id, emailCanonical: id } })
})

function createInstance({ prisma, pool }: Database): Instance {
  const work = createUnitOfWork({ prisma, pool })
  const users = createUserStore(work, () => new Date())
  return { work, users, store: createArtifactStore(pool, work, users.companion) }
}

/** What another request does, although it is told from within this one. */
const outside = new AsyncResource('another request')
const elsewhere = <T>(act: () => Promise<T>): Promise<T> => outside.runInAsyncScope(act)

const change = ({ work, users } = other) => work.transaction(() => users.advanceGeneration('ada'))
const grant = (accountId = 'ada') => ({
  kind: 'Grant',
  id: `grant of ${accountId}`,
  payload: { accountId },
  lifetime: HOUR,
})
const session = (accountId = 'ada') => ({
  kind: 'Session',
  id: `session of ${accountId}`,
  payload: {
    accountId,
    uid: `uid of ${accountId}`,
    authorizations: { app: { grantId: `grant of ${accountId}` } },
  },
  lifetime: HOUR,
})
const token = (accountId = 'ada') => ({
  kind: 'RefreshToken',
  id: `token of ${accountId}`,
  payload: { accountId, grantId: `grant of ${accountId}` },
  lifetime: HOUR,
})
const saveAll = async (accountId: string) => {
  for (const each of [grant(accountId), session(accountId), token(accountId)]) await one.store.upsert(each)
}

/** What is found of somebody, by every way there is; each in a unit of its own unless one is at hand. */
const lookups = {
  'a session by its id': ({ store }: Instance, who = 'ada') => store.find('Session', `session of ${who}`),
  'a session by its uid': ({ store }: Instance, who = 'ada') => store.findSessionByUid(`uid of ${who}`),
  'a grant': ({ store }: Instance, who = 'ada') => store.find('Grant', `grant of ${who}`),
  'a grant read along with its token': ({ work, store }: Instance, who = 'ada') =>
    work.run(async () => {
      expect(await store.find('RefreshToken', `token of ${who}`)).toBeDefined()
      return store.find('Grant', `grant of ${who}`)
    }),
  'a grant read along with its session': ({ work, store }: Instance, who = 'ada') =>
    work.run(async () => {
      await store.find('Session', `session of ${who}`)
      return store.find('Grant', `grant of ${who}`)
    }),
  'any of them inside a transaction': ({ work, store }: Instance, who = 'ada') =>
    work.transaction(
      async () =>
        (await store.find('Grant', `grant of ${who}`)) ?? store.find('Session', `session of ${who}`),
    ),
}

describe.each(Object.entries(lookups))('%s', (_, find) => {
  test('is found until the person changes a credential, and by nobody any more from then on', async () => {
    await saveAll('ada')
    for (const instance of [one, other]) expect(await find(instance)).toBeDefined()
    await change()
    for (const instance of [one, other]) expect(await find(instance)).toBeUndefined()
  })

  test('is found whatever somebody else changes', async () => {
    await saveAll('bob')
    await change()
    for (const instance of [one, other]) expect(await find(instance, 'bob')).toBeDefined()
  })

  test('is found when it was written after the change', async () => {
    await change()
    await saveAll('ada')
    for (const instance of [one, other]) expect(await find(instance)).toBeDefined()
  })

  test('from before there were generations is of the first one', async () => {
    await saveAll('ada')
    await database.pool.query('update artifacts set generation = null')
    expect(await find(one)).toBeDefined()
    await change()
    expect(await find(one)).toBeUndefined()
  })
})

describe('a request that is under way while a credential changes', () => {
  /** What it reads before, and writes after; in a unit of work of its own. */
  const request = (read: () => Promise<unknown>, write: () => Promise<unknown>) =>
    one.work.run(async () => {
      await read()
      await elsewhere(change)
      await write()
    })
  const reads = {
    'its session': () => one.store.find('Session', 'session of ada'),
    'its session by the uid': () => one.store.findSessionByUid('uid of ada'),
    'a token': () => one.store.find('RefreshToken', 'token of ada'),
    'the person': () => one.users.findUser('ada'),
  }

  test.each(Object.entries(reads))(
    'and had read %s before brings nothing back to life, and makes nothing that lives',
    async (_, read) => {
      await saveAll('ada')
      await request(read, async () => {
        // What it reads now is news; it still speaks for whom it began with.
        await one.store.find('RefreshToken', 'token of bob')
        await one.users.findUserByEmail('ada')
        await one.store.upsert(session())
        await one.store.upsert({
          ...session(),
          id: 'another',
          payload: { ...session().payload, uid: 'another' },
        })
        await one.store.upsert({ ...grant(), id: 'another' })
      })
      for (const find of Object.values(lookups)) expect(await find(other)).toBeUndefined()
      expect(await other.store.find('Session', 'another')).toBeUndefined()
      expect(await other.store.findSessionByUid('another')).toBeUndefined()
      expect(await other.store.find('Grant', 'another')).toBeUndefined()
    },
  )

  test('makes nothing that lives in a transaction of its own either, nor after one', async () => {
    await saveAll('ada')
    await request(reads['its session'], async () => {
      await one.work.transaction(() => one.store.upsert({ ...grant(), id: 'within' }))
      await one.store.upsert({ ...grant(), id: 'after' })
    })
    expect(await other.store.find('Grant', 'within')).toBeUndefined()
    expect(await other.store.find('Grant', 'after')).toBeUndefined()
  })
})

test('a session that is saved anew under its id belongs to the generation of whom it is saved for', async () => {
  const { accountId, ...anonymous } = session().payload
  await one.store.upsert({ ...session(), payload: anonymous })
  await change()
  await one.store.upsert(session())
  expect(await other.store.find('Session', 'session of ada')).toMatchObject({ payload: { accountId } })
})

describe('the browser that changed a credential', () => {
  /** As the engine's session does: `persist` writes it, and removes it under the id it had. */
  function engineSession({ store }: Instance) {
    return {
      uid: 'uid of ada',
      jti: 'session of ada',
      authorizations: { app: {} } as object | undefined,
      resetIdentifier() {
        this.jti = 'renewed'
      },
      async persist() {
        await store.destroy('Session', 'session of ada')
        const { uid, authorizations } = this
        const payload = { accountId: 'ada', uid, authorizations: authorizations as Record<string, never> }
        await store.upsert({ kind: 'Session', id: this.jti, payload, lifetime: HOUR })
      },
    }
  }

  const changeAndKeep = (instance: Instance) =>
    instance.work.run(async () => {
      await instance.store.find('Session', 'session of ada')
      return instance.work.transaction(async () => {
        await instance.users.advanceGeneration('ada')
        await keepSession(engineSession(instance))
      })
    })

  test('keeps its session, under another id and uid, without what its apps were given', async () => {
    await saveAll('ada')
    await changeAndKeep(one)
    const kept = await other.store.find('Session', 'renewed')
    expect(kept?.payload).toMatchObject({ accountId: 'ada', uid: expect.stringMatching(/^[\w-]{22}$/) })
    expect(kept?.payload).not.toHaveProperty('authorizations')
    expect(await other.store.findSessionByUid(kept!.payload.uid!)).toBeDefined()
    for (const find of Object.values(lookups)) expect(await find(other)).toBeUndefined()
  })

  test('keeps it while another request of its own writes down the session it had', async () => {
    await saveAll('ada')
    await one.work.run(async () => {
      await one.store.find('Session', 'session of ada')
      await elsewhere(() => changeAndKeep(other))
      await one.store.upsert(session())
    })
    expect(await one.store.find('Session', 'renewed')).toBeDefined()
    for (const find of Object.values(lookups)) expect(await find(one)).toBeUndefined()
  })

  test('loses it with the next change', async () => {
    await saveAll('ada')
    await changeAndKeep(one)
    await change()
    expect(await one.store.find('Session', 'renewed')).toBeUndefined()
  })
})

test('an interaction is found with the generation of whoever proved something in it, and is not ended by it', async () => {
  const result = { login: { accountId: 'ada', generation: 0 } }
  await one.store.upsert({ kind: 'Interaction', id: 'i', payload: { jti: 'i', result }, lifetime: HOUR })
  expect(await other.store.find('Interaction', 'i')).toMatchObject({ generation: 0 })
  await change()
  expect(await other.store.find('Interaction', 'i')).toMatchObject({ payload: { result }, generation: 1 })
})

import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork } from '../db/unit-of-work.ts'
import { digest } from '../lib/digest.ts'
import { type ArtifactStore, createArtifactStore } from './store.ts'

const HOUR = 3600
const HOSTILE = [
  '\0',
  'a\0b',
  '\ud800',
  'lone \udfff tail',
  'x'.repeat(100_000),
  '"; drop table artifacts; --',
  '😀é',
]

let database: TestDatabase
let opened: Database
let pool: Pool
let store: ArtifactStore

beforeAll(async () => {
  database = await createTestDatabase()
  opened = await database.open()
  pool = opened.pool
  store = createArtifactStore(pool, createUnitOfWork(opened))
})
afterAll(() => database.drop())
beforeEach(() => pool.query('delete from artifacts'))

const rows = async () => (await pool.query('select * from artifacts order by kind, id')).rows

class Late extends Error {}
const lost = async () => {
  throw new Late()
}
/** Did the claim succeed? */
const succeeds = (claim: Promise<void>) =>
  claim.then(
    () => true,
    (error: unknown) => {
      if (error instanceof Late) return false
      throw error
    },
  )
const consume = (kind: string, id: string) => succeeds(store.consume(kind, id, lost))
const end = (kind: string, id: string) => succeeds(store.end(kind, id, lost))
const age = (milliseconds: number) =>
  pool.query(
    `update artifacts set expires_at = expires_at - $1 * interval '1 ms', consumed_at = consumed_at - $1 * interval '1 ms'`,
    [milliseconds],
  )

describe('what is kept', () => {
  test('a bearer secret is not in the table, not even inside the payload, and comes back when it is presented', async () => {
    await store.upsert({
      kind: 'AccessToken',
      id: 'the-secret',
      payload: { jti: 'the-secret', grantId: 'g' },
      lifetime: HOUR,
    })
    expect(JSON.stringify(await rows())).not.toContain('the-secret')
    expect((await store.find('AccessToken', 'the-secret'))?.payload).toEqual({
      jti: 'the-secret',
      grantId: 'g',
    })
  })

  test('the hash of a bearer secret, read in the table, opens nothing', async () => {
    await store.upsert({
      kind: 'Session',
      id: 'secret',
      payload: { jti: 'secret', uid: 'u' },
      lifetime: HOUR,
    })
    expect(await store.find('Session', digest('secret'))).toBeUndefined()
  })

  test('what is looked up has a column, and what no one knows yet survives in the payload', async () => {
    const payload = {
      jti: 'd',
      grantId: 'g',
      accountId: 'u',
      clientId: 'c',
      userCode: 'ABC',
      future: { deep: [1, null] },
    }
    await store.upsert({ kind: 'DeviceCode', id: 'd', payload, lifetime: HOUR })
    expect(await rows()).toMatchObject([
      { id: 'd', grant_id: 'g', user_id: 'u', client_id: 'c', user_code: 'ABC' },
    ])
    expect((await store.findDeviceByUserCode('ABC'))?.payload).toEqual(payload)
  })

  test('a grant is not removed with what was issued from it, nor is an interaction that mentions it', async () => {
    await store.upsert({ kind: 'Grant', id: 'g', payload: { jti: 'g' }, lifetime: HOUR })
    await store.upsert({ kind: 'Interaction', id: 'i', payload: { jti: 'i', grantId: 'g' }, lifetime: HOUR })
    await store.upsert({ kind: 'AccessToken', id: 'a', payload: { grantId: 'g' }, lifetime: HOUR })
    await store.upsert({ kind: 'RefreshToken', id: 'r', payload: { grantId: 'g' }, lifetime: HOUR })
    await store.revokeByGrantId('g')
    expect((await rows()).map((row) => row.kind)).toEqual(['Grant', 'Interaction'])
  })

  test.each(['', undefined as unknown as string, null as unknown as string])(
    'revoking no grant at all (%j) removes nothing',
    async (nothing) => {
      await store.upsert({ kind: 'AccessToken', id: 'a', payload: {}, lifetime: HOUR })
      await store.upsert({ kind: 'AccessToken', id: 'b', payload: { grantId: '' }, lifetime: HOUR })
      await store.revokeByGrantId(nothing)
      expect(await rows()).toHaveLength(2)
    },
  )
})

test('with a revoked grant goes all it gave, and nothing of another grant', async () => {
  for (const grantId of ['g', 'other']) {
    await store.upsert({ kind: 'Grant', id: grantId, payload: { jti: grantId }, lifetime: HOUR })
    await store.upsert({ kind: 'AccessToken', id: `at of ${grantId}`, payload: { grantId }, lifetime: HOUR })
  }
  await store.revokeGrant('g')
  expect(await rows()).toMatchObject([
    { kind: 'AccessToken', grant_id: 'other' },
    { kind: 'Grant', id: 'other' },
  ])
})

describe('what a stranger types', () => {
  test.each(HOSTILE)('is looked up and simply not found (%#)', async (text) => {
    expect(await store.find('Interaction', text)).toBeUndefined()
    expect(await store.find('Session', text)).toBeUndefined()
    expect(await store.findSessionByUid(text)).toBeUndefined()
    expect(await store.findDeviceByUserCode(text)).toBeUndefined()
    expect(await consume('AuthorizationCode', text)).toBe(false)
    await store.destroy('DeviceCode', text)
    await store.revokeByGrantId(text)
  })

  test.each(HOSTILE)('is kept word for word (%#)', async (text) => {
    const payload = {
      jti: text,
      accountId: text,
      clientId: text,
      userCode: text,
      grantId: text,
      params: { state: text },
    }
    await store.upsert({ kind: 'DeviceCode', id: text, payload, lifetime: HOUR })
    expect((await store.find('DeviceCode', text))?.payload).toEqual(payload)
    expect((await store.findDeviceByUserCode(text))?.payload).toEqual(payload)
    await store.revokeByGrantId(text)
    expect(await rows()).toEqual([])
  })

  test.each([
    ['\ud800', '\ufffd'],
    ['\ud800', '\udfff'],
    ['a\0b', 'ab'],
    ['a\0', 'a'],
  ])('names that look alike to PostgreSQL stay apart (%#)', async (name, lookalike) => {
    await store.upsert({ kind: 'DeviceCode', id: name, payload: { userCode: name }, lifetime: HOUR })
    expect(await store.find('DeviceCode', lookalike)).toBeUndefined()
    expect(await store.findDeviceByUserCode(lookalike)).toBeUndefined()
  })

  test.each([Number.POSITIVE_INFINITY, 1e300, 0.5, -1e9])(
    'a lifetime a client wrote into its own assertion (%d) is no error',
    async (lifetime) => {
      expect(await store.claim({ kind: 'ReplayDetection', id: `r${lifetime}`, payload: {}, lifetime })).toBe(
        true,
      )
    },
  )
})

describe('once means once', () => {
  test('consuming succeeds exactly once, and never for what is not there', async () => {
    await store.upsert({ kind: 'AuthorizationCode', id: 'c', payload: {}, lifetime: HOUR })
    const answers = await Promise.all(Array.from({ length: 20 }, () => consume('AuthorizationCode', 'c')))
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(await consume('AuthorizationCode', 'unknown')).toBe(false)
  })

  test('what was consumed stays consumed, whatever is written over it, and since when does not change', async () => {
    await store.upsert({ kind: 'DeviceCode', id: 'd', payload: { jti: 'd' }, lifetime: HOUR })
    await consume('DeviceCode', 'd')
    await age(5000)
    const before = await store.find('DeviceCode', 'd')
    await store.upsert({ kind: 'DeviceCode', id: 'd', payload: { jti: 'd' }, lifetime: HOUR })
    await store.upsert({ kind: 'DeviceCode', id: 'd', payload: { jti: 'd', consumed: true }, lifetime: HOUR })
    const after = await store.find('DeviceCode', 'd')
    expect(after?.consumption?.at).toBe(before?.consumption?.at)
    expect(after?.payload).toEqual({ jti: 'd' })
  })

  test('what is saved as consumed is consumed', async () => {
    await store.upsert({ kind: 'DeviceCode', id: 'd', payload: { consumed: 1_700_000_000 }, lifetime: HOUR })
    expect((await store.find('DeviceCode', 'd'))?.consumption?.age).toBeLessThan(60_000)
    expect(await consume('DeviceCode', 'd')).toBe(false)
  })

  test('ending succeeds exactly once, and never for what is not there', async () => {
    await store.upsert({ kind: 'Interaction', id: 'i', payload: {}, lifetime: HOUR })
    const answers = await Promise.all(Array.from({ length: 20 }, () => end('Interaction', 'i')))
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(await end('Interaction', 'unknown')).toBe(false)
    expect(await rows()).toEqual([])
  })

  test('an assertion is new exactly once until it expires, by the clock of the database', async () => {
    const assertion = { kind: 'ReplayDetection', id: 'j', payload: { jti: 'j', iss: 'c' }, lifetime: 60 }
    const answers = await Promise.all(Array.from({ length: 20 }, () => store.claim(assertion)))
    expect(answers.filter(Boolean)).toHaveLength(1)
    await age(59_000)
    expect(await store.claim(assertion)).toBe(false)
    await age(2_000)
    expect(await store.claim(assertion)).toBe(true)
    expect(await store.claim(assertion)).toBe(false)
  })
})

describe('time', () => {
  test('what has expired by the clock of the database is still found, and said to be expired', async () => {
    await store.upsert({ kind: 'AuthorizationCode', id: 'c', payload: {}, lifetime: 60 })
    expect((await store.find('AuthorizationCode', 'c'))?.expired).toBe(false)
    await age(61_000)
    expect((await store.find('AuthorizationCode', 'c'))?.expired).toBe(true)
  })

  test('without a lifetime nothing expires', async () => {
    await store.upsert({ kind: 'RegistrationAccessToken', id: 'r', payload: {} })
    expect(await store.find('RegistrationAccessToken', 'r')).toMatchObject({ expired: false })
    expect(await rows()).toMatchObject([{ expires_at: null }])
  })

  test('of two sessions with one uid the one last written is found', async () => {
    for (const id of ['first', 'second', 'third']) {
      await store.upsert({ kind: 'Session', id, payload: { uid: 'u', accountId: id }, lifetime: HOUR })
    }
    await store.upsert({
      kind: 'Session',
      id: 'first',
      payload: { uid: 'u', accountId: 'again' },
      lifetime: HOUR,
    })
    expect((await store.findSessionByUid('u'))?.payload).toEqual({ uid: 'u', accountId: 'again' })
    await store.destroy('Session', 'first')
    expect((await store.findSessionByUid('u'))?.payload).toEqual({ uid: 'u', accountId: 'third' })
  })
})

test('a database that fails is an error, never an answer', async () => {
  const nowhere = new Pool({ host: '127.0.0.1', port: 1 })
  const broken = createArtifactStore(nowhere, createUnitOfWork({ ...opened, pool: nowhere }))
  const artifact = { kind: 'Grant', id: 'x', payload: {} }
  const calls = [
    broken.find('Grant', 'x'),
    broken.findSessionByUid('x'),
    broken.findDeviceByUserCode('x'),
    broken.upsert(artifact),
    broken.claim(artifact),
    broken.consume('Grant', 'x', lost),
    broken.end('Grant', 'x', lost),
    broken.destroy('Grant', 'x'),
    broken.revokeByGrantId('x'),
    broken.revokeGrant('x'),
  ]
  for (const outcome of await Promise.allSettled(calls)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ECONNREFUSED' } })
  }
  await nowhere.end()
})

// Where our memory differs from the engine's own on purpose, and what the engine makes of it.
import { AsyncResource } from 'node:async_hooks'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Adapter, errors, type Provider } from 'oidc-provider'
import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SECRET } from '../../test/races/support/options.ts'
import { createProvider } from '../../test/races/support/provider.ts'
import { post, redeem, refresh, send } from '../../test/races/support/requests.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { createArtifactStore } from '../artifacts/store.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork, type UnitOfWork } from '../db/unit-of-work.ts'
import { createEngineStorage, type EngineStorage } from './adapter.ts'

const HOUR = 3600
const OPTIONS = { secrets: [SECRET], refreshWindow: 10_000 }

let database: TestDatabase
let opened: Database
let pool: Pool
let work: UnitOfWork
let storage: EngineStorage
let provider: Provider

beforeAll(async () => {
  database = await createTestDatabase()
  opened = await database.open()
  pool = opened.pool
  work = createUnitOfWork(opened)
  storage = createEngineStorage(createArtifactStore(pool, work), OPTIONS)
  provider = createProvider(storage, work)
})
afterAll(() => database.drop())
beforeEach(() => pool.query('delete from artifacts'))

const adapter = (kind: string): Adapter => storage.adapter(kind)
/** What another request does and commits, although it is told from within this one. */
const outside = new AsyncResource('another request')
const afterAnotherRequest = <T>(work: () => Promise<T>): Promise<T> => outside.runInAsyncScope(work)
const letTimePass = (seconds: number) =>
  pool.query(`update artifacts set expires_at = expires_at - $1 * interval '1 s'`, [seconds])

describe('a second use', () => {
  const SOURCES = [
    'AuthorizationCode',
    'BackchannelAuthenticationRequest',
    'DeviceCode',
    'PreAuthorizedCode',
    'RefreshToken',
  ]

  test.each(SOURCES)(
    'of a %s that passed the check is refused, and the grant goes with all it gave',
    async (kind) => {
      await adapter('Grant').upsert('g', { jti: 'g' }, HOUR)
      await adapter('Grant').upsert('other', { jti: 'other' }, HOUR)
      await adapter('AccessToken').upsert('a', { jti: 'a', grantId: 'g' }, HOUR)
      await adapter(kind).upsert('source', { jti: 'source', grantId: 'g' }, HOUR)
      await adapter(kind).consume('source')
      await expect(adapter(kind).consume('source')).rejects.toThrow(errors.InvalidGrant)
      const { rows } = await pool.query('select kind, id from artifacts')
      expect(rows).toEqual([{ kind: 'Grant', id: 'other' }])
    },
  )

  test('by a request that has written already undoes all of it, and ends the family for good', async () => {
    await adapter('Grant').upsert('g', { jti: 'g' }, HOUR)
    await adapter('AuthorizationCode').upsert('c', { jti: 'c', grantId: 'g' }, HOUR)
    const request = work.run(async () => {
      await adapter('AuthorizationCode').consume('c')
      await adapter('AccessToken').upsert('second', { jti: 'second', grantId: 'g' }, HOUR)
      await adapter('AuthorizationCode').find('c')
      await afterAnotherRequest(() => adapter('AuthorizationCode').consume('c'))
    })
    await expect(request).rejects.toThrow(errors.InvalidGrant)
    expect((await pool.query('select from artifacts')).rowCount).toBe(0)
  })

  test('of a pushed request is an invalid request_uri', async () => {
    await adapter('PushedAuthorizationRequest').upsert('p', { jti: 'p', request: 'e30.e30.' }, HOUR)
    await adapter('PushedAuthorizationRequest').consume('p')
    await expect(adapter('PushedAuthorizationRequest').consume('p')).rejects.toThrow(errors.InvalidRequestUri)
  })

  test('of what is not there at all is an invalid grant', async () => {
    await expect(adapter('AuthorizationCode').consume('unknown')).rejects.toThrow(errors.InvalidGrant)
  })

  test('of an assertion is refused when it is written, should nobody have looked before', async () => {
    await adapter('ReplayDetection').upsert('r', { jti: 'r', iss: 'c' }, HOUR)
    await expect(adapter('ReplayDetection').upsert('r', { jti: 'r', iss: 'c' }, HOUR)).rejects.toThrow(
      errors.InvalidRequest,
    )
  })

  test('of an assertion, twenty times at once, is unique once in the eyes of the engine', async () => {
    const inAMinute = Math.floor(Date.now() / 1000) + 60
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => provider.ReplayDetection.unique('client', 'jti', inAMinute)),
    )
    expect(answers.filter(Boolean)).toHaveLength(1)
  })
})

test('a journey that twenty come back from at once goes on for one of them', async () => {
  await adapter('Interaction').upsert('once', { jti: 'once' }, HOUR)
  const answers = await Promise.allSettled(
    Array.from({ length: 20 }, () => adapter('Interaction').destroy('once')),
  )
  const refused = answers.filter((answer) => answer.status === 'rejected')
  expect(refused).toHaveLength(19)
  for (const { reason } of refused) expect(reason).toBeInstanceOf(errors.SessionNotFound)
})

describe('a session', () => {
  test('found by its uid does not reveal the id its cookie carries', async () => {
    await adapter('Session').upsert('cookie', { jti: 'cookie', uid: 'u', accountId: 'alice' }, HOUR)
    expect(await adapter('Session').findByUid('u')).toEqual({ uid: 'u', accountId: 'alice' })
  })

  test('is still found when its twin, written last, is signed out', async () => {
    await adapter('Session').upsert('one', { jti: 'one', uid: 'u', accountId: 'alice' }, HOUR)
    await adapter('Session').upsert('two', { jti: 'two', uid: 'u', accountId: 'alice', acr: '2' }, HOUR)
    expect(await adapter('Session').findByUid('u')).toMatchObject({ acr: '2' })
    await adapter('Session').destroy('two')
    expect(await adapter('Session').findByUid('u')).toEqual({ uid: 'u', accountId: 'alice' })
  })

  test('does not leave its id behind in the interaction it started', async () => {
    const interaction = {
      jti: 'i',
      kind: 'Interaction',
      session: { uid: 'u', cookie: 'the-secret', accountId: 'alice' },
    }
    await adapter('Interaction').upsert('i', interaction, HOUR)
    expect(await adapter('Interaction').find('i')).toEqual({
      ...interaction,
      session: { uid: 'u', accountId: 'alice' },
    })
    const { rows } = await pool.query<{ line: string }>('select artifacts::text as line from artifacts')
    expect(rows[0]?.line).not.toContain('the-secret')
  })
})

describe('a session, saved by every request that reads it,', () => {
  const LATER = 100_000
  const session = { jti: 's', uid: 'u', accountId: 'alice', iat: 1, exp: LATER }
  const revision = async () => (await pool.query('select revision from artifacts')).rows[0].revision

  const isWritten = async (change: object, lifetime = 2 * HOUR) => {
    await adapter('Session').upsert('s', session, lifetime)
    const before = await revision()
    await work.run(async () => {
      await adapter('Session').find('s')
      await adapter('Session').upsert('s', { ...session, ...change }, lifetime)
    })
    return (await revision()) !== before
  }

  test.each<[string, boolean, object, number?]>([
    ['is not written when nothing changed', false, {}],
    ['is not written when its end slid by five minutes', false, { iat: 9, exp: LATER + 300 }],
    ['is written when its end slid by more', true, { iat: 9, exp: LATER + 301 }],
    ['is not written when a short one slid by a twentieth', false, { exp: LATER + 30 }, 600],
    ['is written when a short one slid by more', true, { exp: LATER + 31 }, 600],
    ['is written when it is to end sooner', true, { exp: LATER - 1 }],
    ['is written when anything else changed', true, { accountId: 'bob' }],
    ['is written when something was added', true, { authorizations: { web: { grantId: 'g' } } }],
  ])('%s', async (_, expected, change, lifetime) => {
    expect(await isWritten(change, lifetime)).toBe(expected)
  })

  test('is written by a request that did not look first, as it is when it was changed and changed back', async () => {
    await adapter('Session').upsert('s', session, HOUR)
    const before = await revision()
    await adapter('Session').upsert('s', session, HOUR)
    expect(await revision()).not.toBe(before)
    await work.run(async () => {
      await adapter('Session').find('s')
      await adapter('Session').upsert('s', { ...session, accountId: 'bob' }, HOUR)
      await adapter('Session').upsert('s', session, HOUR)
    })
    expect(await adapter('Session').find('s')).toEqual(session)
  })
})

describe('time, by the clock of the database', () => {
  const token = async () => {
    const client = await provider.Client.find('web')
    return new provider.AccessToken({
      client: client!,
      accountId: 'alice',
      grantId: 'g',
      gty: 'x',
      scope: 'openid',
    }).save()
  }

  test('ends a token although its payload says otherwise', async () => {
    const value = await token()
    expect(await provider.AccessToken.find(value)).toBeDefined()
    await letTimePass(HOUR)
    expect(await provider.AccessToken.find(value)).toBeUndefined()
  })

  test('leaves an expired one to be found by those who ask for it', async () => {
    const value = await token()
    await letTimePass(HOUR)
    expect(await provider.AccessToken.find(value, { ignoreExpiration: true })).toMatchObject({
      isExpired: true,
    })
  })

  test('does not hide a replay that comes when the code itself would have expired', async () => {
    await adapter('AuthorizationCode').upsert('c', { jti: 'c', exp: 5 }, 60)
    await adapter('AuthorizationCode').consume('c')
    await letTimePass(HOUR)
    expect(await adapter('AuthorizationCode').find('c')).toEqual({ jti: 'c', consumed: expect.any(Number) })
  })

  test('does not let a pushed request be used twice by those who took long to sign in', async () => {
    await adapter('PushedAuthorizationRequest').upsert('p', { jti: 'p', request: 'e30.e30.' }, 60)
    await letTimePass(HOUR)
    expect(await adapter('PushedAuthorizationRequest').find('p')).toMatchObject({ request: 'e30.e30.' })
    await adapter('PushedAuthorizationRequest').consume('p')
    await expect(adapter('PushedAuthorizationRequest').consume('p')).rejects.toThrow(errors.InvalidRequestUri)
  })
})

describe('over HTTP', () => {
  const servers: Server[] = []
  afterAll(() => {
    for (const server of servers) server.close()
  })

  async function listen(serving: Provider): Promise<string> {
    const server = createServer(serving.callback())
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test.each(['\0', 'code\0', '\ufffd', '😀'.repeat(500), "' or 1=1; --", '{"$gt":""}'])(
    'a code, token or cookie that is nonsense is refused as such (%#)',
    async (text) => {
      const origin = await listen(provider)
      const cookie = `_session=${encodeURIComponent(text)}; _interaction=x; _interaction_resume=x`
      const resume = await fetch(`${origin}/auth/${encodeURIComponent(text.slice(0, 100))}`, {
        headers: { cookie },
      })
      expect(resume.status).toBe(400)
      for (const answer of [await redeem(origin, 'web', text), await refresh(origin, 'web', text)]) {
        expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
      }
      const introspected = await post(`${origin}/token/introspection`, 'web', { token: text })
      expect(introspected).toMatchObject({ status: 200, body: { active: false } })
    },
  )

  test('a database out of reach is our failure, never an answer about a code or a token', async () => {
    const nowhere = new Pool({ host: '127.0.0.1', port: 1 })
    const lonely = createUnitOfWork({ ...opened, pool: nowhere })
    const store = createArtifactStore(nowhere, lonely)
    const origin = await listen(createProvider(createEngineStorage(store, OPTIONS), lonely))
    const userinfo = await fetch(`${origin}/me`, { headers: { authorization: 'Bearer x' } })
    const answers = [
      await redeem(origin, 'web', 'x'),
      await refresh(origin, 'web', 'x'),
      await post(`${origin}/token/introspection`, 'web', { token: 'x' }),
      await send(`${origin}/token`, { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'spa' }),
    ]
    expect([...answers.map(({ status }) => status), userinfo.status]).toEqual([500, 500, 500, 500, 500])
    expect(answers.map(({ body }) => body['error'])).toEqual(Array(4).fill('server_error'))
    await nowhere.end()
  })
})

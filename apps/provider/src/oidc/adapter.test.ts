// Where our memory differs from the engine's own on purpose, and what the engine makes of it.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Adapter, errors, type Provider } from 'oidc-provider'
import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createProvider } from '../../test/races/support/provider.ts'
import { post, redeem, refresh, send } from '../../test/races/support/requests.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { createArtifactStore } from '../artifacts/store.ts'
import { createEngineStorage, type EngineStorage } from './adapter.ts'

const HOUR = 3600

let database: TestDatabase
let pool: Pool
let storage: EngineStorage
let provider: Provider

beforeAll(async () => {
  database = await createTestDatabase()
  pool = (await database.open()).pool
  storage = createEngineStorage(createArtifactStore(pool), 10_000)
  provider = createProvider(storage)
})
afterAll(() => database.drop())
beforeEach(() => pool.query('delete from artifacts'))

const adapter = (kind: string): Adapter => storage.adapter(kind)
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
    const origin = await listen(createProvider(createEngineStorage(createArtifactStore(nowhere), 10_000)))
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

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { bearer, OPAQUE, refresh, signUpAndIn, type Tokens } from './support/relying-party.ts'
import { API_AUDIENCE, startServer, type TestServer } from './support/server.ts'

let server: TestServer
let clients: TestServer['clients']
beforeAll(async () => {
  server = await startServer()
  clients = server.clients
})
afterAll(() => server.close())

const refusal = { status: 400, body: { error: 'invalid_grant' } }

describe('T106: a refresh', () => {
  const api = { scope: 'openid profile email offline_access api:read' }
  const scopesOf = (tokens: Tokens) => decodeJwt(tokens.access_token)['scope']

  test('may ask for less, never for more', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, api)
    const narrowed = await refresh(server, clients.own, tokens.refresh_token, { scope: 'openid' })
    expect(narrowed.status).toBe(200)
    for (const scope of ['api:write', 'openid api:write', 'openid admin', 'users:write']) {
      expect((await refresh(server, clients.own, tokens.refresh_token, { scope })).body.error).toBe(
        'invalid_scope',
      )
    }
    expect(scopesOf((await refresh(server, clients.own, tokens.refresh_token)).body)).toBe('api:read')
  })

  test('is for the API the person agreed to and for no other', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, api)
    for (const resource of ['https://other.example', `${API_AUDIENCE}/`, server.issuer]) {
      expect((await refresh(server, clients.own, tokens.refresh_token, { resource })).body.error).toBe(
        'invalid_target',
      )
    }
    const { tokens: none } = await signUpAndIn(server, clients.own, OPAQUE)
    expect((await refresh(server, clients.own, none.refresh_token, { resource: API_AUDIENCE })).status).toBe(
      400,
    )
  })

  test('keeps who signed in, when and how', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    const renewed = await refresh(server, clients.own, tokens.refresh_token)
    const [before, after] = [decodeJwt(tokens.id_token), decodeJwt(renewed.body.id_token)]
    for (const claim of ['sub', 'auth_time', 'acr', 'amr', 'aud', 'iss'])
      expect(after[claim]).toEqual(before[claim])
  })

  test('is refused once the account is disabled, and after it was', async () => {
    const { tokens, email } = await signUpAndIn(server, clients.own, OPAQUE)
    await server.database.prisma.user.updateMany({ where: { email }, data: { disabledAt: new Date() } })
    expect(await refresh(server, clients.own, tokens.refresh_token)).toMatchObject(refusal)
    expect(await bearer(server, tokens.access_token)).toBe(401)
  })

  test('of a public app rotates, of an app with a secret it does not while the token is young', async () => {
    const { tokens } = await signUpAndIn(server, clients.own, OPAQUE)
    expect((await refresh(server, clients.own, tokens.refresh_token)).body.refresh_token).toBe(
      tokens.refresh_token,
    )
    const { tokens: rotating } = await signUpAndIn(server, clients.spa, { ...OPAQUE, prompt: 'consent' })
    expect((await refresh(server, clients.spa, rotating.refresh_token)).body.refresh_token).not.toBe(
      rotating.refresh_token,
    )
  })

  test('never prolongs a family beyond its end, however often it rotates', async () => {
    const strict = await startServer({
      policy: (policy) => ({
        ...policy,
        lifetimes: {
          ...policy.lifetimes,
          refresh_token_public_idle: 3_600_000,
          refresh_token_public: 60_000,
        },
      }),
    })
    onTestFinished(() => strict.close())
    const { tokens } = await signUpAndIn(strict, strict.clients.spa, { ...OPAQUE, prompt: 'consent' })
    const begun = Date.now()
    /** Seconds until the one that is not used yet dies. */
    const left = async () => {
      const { rows } = await strict.database.pool.query<{ left: number }>(
        `select extract(epoch from expires_at - now())::float8 as left from artifacts
          where kind = 'RefreshToken' and consumed_at is null`,
      )
      return rows[0]!.left
    }
    let current = tokens.refresh_token
    for (const seconds of [20, 35, 50]) {
      vi.setSystemTime(begun + seconds * 1000)
      const answer = await refresh(strict, strict.clients.spa, current)
      expect(answer).toMatchObject({ status: 200 })
      current = answer.body.refresh_token
      expect(await left()).toBeLessThanOrEqual(60 - seconds + 1)
    }
    vi.setSystemTime(begun + 62_000)
    expect(await refresh(strict, strict.clients.spa, current)).toMatchObject(refusal)
    vi.useRealTimers()
  })
})

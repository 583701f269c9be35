import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { age, OPAQUE, signUpAndIn } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const userinfo = (init: RequestInit = {}, query = '') => fetch(`${server.issuer}/me${query}`, init)
const withToken = (accessToken: string, more: RequestInit = {}) =>
  userinfo({ headers: { authorization: `Bearer ${accessToken}` }, ...more })
const scoped = (scope: string) => signUpAndIn(server, server.clients.own, { ...OPAQUE, scope })

describe('T110: userinfo', () => {
  test.each([
    ['openid', ['sub']],
    ['openid profile', ['name', 'sub']],
    ['openid email', ['email', 'email_verified', 'sub']],
    ['openid profile email offline_access', ['email', 'email_verified', 'name', 'sub']],
  ])('for the scope %s tells %j and no more', async (scope, names) => {
    const { tokens } = await scoped(scope)
    const claims = (await (await withToken(tokens.access_token)).json()) as Record<string, unknown>
    expect(Object.keys(claims).sort()).toEqual(names)
    expect(claims['sub']).toBe(decodeJwt(tokens.id_token).sub)
  })

  test('is read by GET, by POST with the header and by POST with the body', async () => {
    const { access_token } = (await scoped('openid email')).tokens
    const body = new URLSearchParams({ access_token })
    const ways = [
      await withToken(access_token),
      await withToken(access_token, { method: 'POST' }),
      await userinfo({ method: 'POST', body }),
    ]
    const answers = await Promise.all(ways.map((response) => response.json()))
    expect(ways.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
  })

  test('does not read a token from the address', async () => {
    const { access_token } = (await scoped('openid')).tokens
    const response = await userinfo({}, `?access_token=${access_token}`)
    expect([400, 401]).toContain(response.status)
    expect(await response.text()).not.toContain('sub')
  })

  test('refuses a token that comes twice', async () => {
    const { access_token } = (await scoped('openid')).tokens
    expect(
      (await withToken(access_token, { method: 'POST', body: new URLSearchParams({ access_token }) })).status,
    ).toBe(400)
  })

  test('tells an app without a token, or with a dead one, what is missing', async () => {
    const { access_token } = (await scoped('openid')).tokens
    await age(server, 601, 'AccessToken')
    for (const response of [await userinfo(), await withToken('guessed'), await withToken(access_token)]) {
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /)
      expect(response.headers.get('cache-control')).toBe('no-store')
    }
  })

  test('is closed to a token without the scope openid, and to one for an API', async () => {
    const { tokens } = await signUpAndIn(server, server.clients.own)
    expect((await withToken(tokens.access_token)).status).toBe(401)
  })

  test('is closed once the account is disabled', async () => {
    const { tokens, email } = await scoped('openid email')
    await server.database.prisma.user.updateMany({ where: { email }, data: { disabledAt: new Date() } })
    expect((await withToken(tokens.access_token)).status).toBe(401)
  })
})

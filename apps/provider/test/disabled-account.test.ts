// Promise c, as far as it reaches without an administrator's page: disabled means disabled.
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  authorizationRequest,
  bearer,
  begin,
  introspect,
  OPAQUE,
  refresh,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const setDisabled = (email: string, at: Date | null) =>
  server.database.prisma.user.update({ where: { emailCanonical: email }, data: { disabledAt: at } })

test('a disabled account has no session, no token, no active introspection and no door', async () => {
  const { own } = server.clients
  const { browser, email, tokens } = await signUpAndIn(server, own, OPAQUE)
  expect(await introspect(server, own, tokens.access_token)).toMatchObject({ active: true })

  await setDisabled(email, new Date())
  expect(await introspect(server, own, tokens.access_token)).toEqual({ active: false })
  expect(await introspect(server, own, tokens.refresh_token)).toEqual({ active: false })
  expect(await bearer(server, tokens.access_token)).toBe(401)
  expect((await refresh(server, own, tokens.refresh_token)).body.error).toBe('invalid_grant')
  const page = await begin(browser, authorizationRequest(server, own))
  expect(page.text).toContain('name="password"')
  expect((await browser.get(`${server.issuer}/account`)).status).toBe(303)
})

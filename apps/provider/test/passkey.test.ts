// Passkeys through the whole house: as the only proof, as the second one, and for what changes how one signs in.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newBrowser, newMember } from './support/account.ts'
import { optionsIn } from './support/authenticator.ts'
import { type Browser, type Page, TRUST_LOOPBACK } from './support/browser.ts'
import { addPasskey, bringPasskey, type Holder } from './support/holders.ts'
import {
  auditTrail,
  authorizationRequest,
  begin,
  claimsOf,
  codeOf,
  isSignedIn,
  signIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ settings: TRUST_LOOPBACK })
})
afterAll(() => server.close())

const newHolder = async () => addPasskey(server, await newMember(server))

async function open(browser = newBrowser(), change: Record<string, string | undefined> = {}) {
  const request = authorizationRequest(server, server.clients.own, change)
  return { browser, request, page: await begin(browser, request) }
}

const bring = (browser: Browser, page: Page, holder: Holder, action: string) =>
  bringPasskey(browser, page, { ...holder, action })

describe('a person with a passkey', () => {
  test('T059: comes in by it alone, which counts as two factors', async () => {
    const holder = await newHolder()
    const { browser, request, page } = await open()
    const done = await bring(browser, page, holder, '/method/passkey')
    expect(await claimsOf(server, { request, page: done })).toMatchObject({
      sub: holder.id,
      acr: 'phr',
      amr: expect.arrayContaining(['swk', 'user', 'mfa']),
    })
  })

  test('is asked for it after the password as well', async () => {
    const holder = await newHolder()
    const { browser, request, page } = await open()
    const asked = await browser.follow(await signIn(browser, page, holder))
    expect(asked.text).toContain('Use your passkey')
    expect(await isSignedIn(browser, server)).toBe(false)
    const done = await bring(browser, asked, holder, '/second/passkey')
    expect((await claimsOf(server, { request, page: done })).amr).toEqual(
      expect.arrayContaining(['pwd', 'swk', 'mfa']),
    )
  })

  test('T054: gets nowhere with one answer twice, another page’s challenge or somebody else’s passkey', async () => {
    const [holder, other] = [await newHolder(), await newHolder()]
    const { browser, page } = await open()
    const response = JSON.stringify(holder.authenticator.get(optionsIn(page), holder.held))
    const elsewhere = await open()
    const foreign = await elsewhere.browser.submit(elsewhere.page, '/method/passkey', { response })
    expect(foreign.status).toBe(422)

    const half = await browser.follow(await signIn(browser, page, holder))
    expect((await bring(browser, half, other, '/second/passkey')).status).toBe(422)
    const again = await browser.follow(await signIn(browser, page, holder))
    const right = JSON.stringify(holder.authenticator.get(optionsIn(again), holder.held))
    expect((await browser.submit(again, '/second/passkey', { response: right })).status).toBe(200)
    expect(
      (await browser.submit(again, '/second/passkey', { response: right })).status,
    ).toBeGreaterThanOrEqual(300)
  })

  test.each(['', 'not json', '{}', '[]', `{"id":"${'x'.repeat(20_000)}"}`])(
    'whoever posts rubbish instead (%#) gets the same calm page',
    async (response) => {
      const { browser, page } = await open()
      const answer = await browser.submit(page, '/method/passkey', { response })
      expect([413, 422]).toContain(answer.status)
    },
  )

  test('removes it with that very proof and no weaker one, and every other session ends', async () => {
    const holder = await newHolder()
    const security = await holder.browser.get(`${server.issuer}/account/security`)
    const asked = await holder.browser.follow(await holder.browser.submit(security, '/passkey/remove'))
    expect(asked.text).toContain('Use your passkey')
    const back = await bring(holder.browser, asked, holder, '/second/passkey')
    expect(back.url).toContain('/account/security')

    const { browser, page } = await open()
    await bring(browser, page, holder, '/method/passkey')
    expect(await isSignedIn(browser, server)).toBe(true)
    const id = /name="id" value="(crd_[^"]+)"/.exec(back.text)![1]!
    expect((await holder.browser.submit(back, '/passkey/remove', { id })).status).toBe(303)
    expect(await isSignedIn(browser, server)).toBe(false)
    const { page: gone } = await open(browser)
    expect((await bring(browser, gone, holder, '/method/passkey')).status).toBe(422)
    const removed = (await auditTrail(server, 'passkey.removed')).filter(
      ({ user_id }) => user_id === holder.id,
    )
    expect(removed).toHaveLength(1)
  })

  test('T125: somebody else’s passkey is not there to be removed', async () => {
    const [holder, other] = [await newHolder(), await newHolder()]
    const { rows } = await server.database.pool.query(
      `select id from credentials where user_id = $1 and type = 'passkey'`,
      [other.id],
    )
    const { browser, page } = await open()
    await bring(browser, page, holder, '/method/passkey')
    const security = await browser.get(`${server.issuer}/account/security`)
    expect((await browser.submit(security, '/passkey/remove', { id: rows[0].id })).status).toBe(404)
    const { page: theirs, browser: at } = await open()
    expect(codeOf(await bring(at, theirs, other, '/method/passkey'))).toBeTruthy()
  })
})

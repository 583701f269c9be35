// What the mailbox does for whoever has lost every second factor, once the wait is over.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HOUR } from '../src/lib/clock.ts'
import {
  challengeOf,
  changePassword,
  halfWay,
  letterAbout,
  meetAtRow,
  newBrowser,
  openLink,
  reset,
  resetLink,
  typesOf,
  userOf,
} from './support/account.ts'
import { anotherNetwork, createBrowser, csrfIn, TRUST_LOOPBACK } from './support/browser.ts'
import {
  finish,
  isComingIn,
  linksIn,
  READY,
  REMOVED,
  requestTo,
  startOwners,
} from './support/lost-factors.ts'
import { begin, isSignedIn, refresh, signIn } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let place: Awaited<ReturnType<typeof startOwners>>
let server: TestServer
beforeAll(async () => {
  place = await startOwners()
  server = place.server
})
afterAll(() => place.close())

describe('the link that finishes it', () => {
  test('does not exist before the wait is over', async () => {
    const owner = await place.newOwner()
    await place.ask(owner)
    await place.pass(72 * HOUR - 60_000)
    const token = new URL(await place.stopLink(owner)).searchParams.get('token')!
    expect((await openLink(`${server.issuer}/recover?token=${token}`)).status).toBe(410)
    expect(await place.countOf(owner.email, READY)).toBe(0)
  })

  test('takes the second factors, ends every session and refresh token, and one factor opens the door', async () => {
    const owner = await place.newOwner()
    await server.database.prisma.credential.create({
      data: { id: `crd_${owner.id}`, userId: owner.id, type: 'passkey', data: {} },
    })
    const { browser: waiting, page } = await place.ask(owner)
    await place.pass(72 * HOUR)
    expect((await waiting.get(page.url)).text).toContain('Look into your mailbox')
    const [link = ''] = linksIn(await letterAbout(server, owner.email, { subject: READY }))
    const scanner = newBrowser()
    for (const method of ['GET', 'HEAD']) await scanner.send(link, { method })
    const browser = newBrowser()
    const done = await finish(link, browser)
    expect(done.status).toBe(200)
    expect(await typesOf(server, owner)).toEqual(['password'])
    expect(await isSignedIn(browser, server)).toBe(false)
    expect(await isSignedIn(owner.browser, server)).toBe(false)
    expect((await refresh(server, server.clients.own, owner.refreshToken)).status).toBe(400)
    await letterAbout(server, owner.email, { subject: REMOVED })
    expect(await place.trailOf(owner)).toEqual(['recovery.asked', 'recovery.completed'])
    expect((await openLink(link)).status).toBe(410)
    const door = await begin(browser, requestTo(server))
    expect(isComingIn(await signIn(browser, door, owner))).toBe(true)
  })

  test('d: ten posts at once at two instances finish once', async () => {
    const owner = await place.newOwner()
    const { finishLink } = await place.becomeReady(owner)
    const browser = newBrowser()
    const form = await openLink(finishLink, browser)
    const csrf = csrfIn(form)
    const token = new URL(finishLink).searchParams.get('token')!
    const answers = await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        const { address: at } = index % 2 ? place.sibling : server
        const other = createBrowser({ headers: anotherNetwork(), at })
        browser.copyJarTo(other)
        return (await other.send(`${server.issuer}/recover`, { form: { csrf, token } })).status
      }),
    )
    expect(answers.filter((status) => status === 200)).toHaveLength(1)
    expect(answers.filter((status) => status === 410)).toHaveLength(9)
    expect(await userOf(server, owner.email)).toMatchObject({ generation: 2 })
  })

  test('and the one that stops it, at the same moment: one of them wins', async () => {
    const owner = await place.newOwner()
    const links = await place.becomeReady(owner)
    const { id } = await challengeOf(server, 'recovery', owner.id)
    const [one, other] = [newBrowser(), newBrowser()]
    const pages = [await openLink(links.finishLink, one), await openLink(links.stopLink, other)] as const
    const start = () => [one.submit(pages[0], '/recover'), other.submit(pages[1], '/recover/stop')]
    const race = place.isReal ? meetAtRow(server, { table: 'challenges', id }, start) : Promise.all(start())
    const statuses = (await race).map(({ status }) => status)
    expect([...statuses].sort()).toEqual([200, 410])
    const isFinished = statuses[0] === 200
    expect((await typesOf(server, owner)).includes('totp')).toBe(!isFinished)
    expect(await place.trailOf(owner)).toEqual([
      'recovery.asked',
      isFinished ? 'recovery.completed' : 'recovery.stopped',
    ])
    expect(await isSignedIn(owner.browser, server)).toBe(!isFinished)
  })

  test('dies with a reset of the password', async () => {
    const owner = await place.newOwner()
    const { finishLink, stopLink } = await place.becomeReady(owner)
    expect((await reset(await resetLink(server, owner.email))).status).toBe(200)
    for (const link of [finishLink, stopLink]) expect((await openLink(link)).status).toBe(410)
    expect(await typesOf(server, owner)).toContain('totp')
  })

  test('dies with a change of a credential in the account', async () => {
    const owner = await place.newOwner()
    const { browser, page } = await halfWay(server, owner)
    await browser.follow(await browser.submit(page, '/second/totp', { code: place.nextCode(owner.secret) }))
    const { finishLink } = await place.becomeReady(owner)
    expect((await changePassword(server, browser)).status).toBe(303)
    expect((await openLink(finishLink)).status).toBe(410)
    expect((await browser.get(`${server.issuer}/account`)).text).not.toContain('Stop it')
  })
})

test('T041: what is no link of ours is told so, whatever it is, and nothing breaks', async () => {
  const browser = newBrowser()
  const csrf = csrfIn(await browser.get(`${server.issuer}/forgot`))
  for (const path of ['/recover', '/recover/stop']) {
    const url = server.issuer + path
    for (const query of ['', '?token=', '?token=a&token=b', '?token[]=a', `?token=${'a'.repeat(8000)}`])
      expect((await browser.follow(await browser.get(url + query))).status, query.slice(0, 20)).toBe(410)
    const forms: Record<string, string>[] = [
      {},
      { token: '' },
      { 'token[]': 'a' },
      { token: 'a'.repeat(20_000) },
    ]
    for (const form of forms)
      expect([410, 422]).toContain((await browser.send(url, { form: { csrf, ...form } })).status)
    const foreign = { origin: 'https://evil.example' }
    const forged = await browser.send(url, { form: { csrf, token: 'x' }, headers: foreign })
    expect(forged.status).toBe(403)
  }
})

describe('where everybody must have a second factor', () => {
  let demanding: TestServer
  beforeAll(async () => {
    demanding = await startServer({
      settings: TRUST_LOOPBACK,
      secretKey: place.secretKey,
      now: place.now,
      database: server.database,
      policy: (policy) => ({ ...policy, factors: { ...policy.factors, second_factor_for: 'everyone' } }),
    })
  })
  afterAll(() => demanding.close())

  test('whoever is back in sets one up before anything else', async () => {
    const owner = await place.newOwner()
    const { finishLink } = await place.becomeReady(owner)
    expect((await finish(finishLink)).status).toBe(200)
    const { page } = await halfWay(demanding, owner)
    expect(page.text).toContain('Set up authenticator app')
    expect(isComingIn(page)).toBe(false)
  })
})

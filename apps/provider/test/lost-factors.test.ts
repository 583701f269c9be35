// Every second factor is lost: who may ask to have them taken off, and what the mailbox does after the wait.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DAY, HOUR } from '../src/lib/clock.ts'
import {
  challengeOf,
  changePassword,
  confirm,
  halfWay,
  letterAbout,
  meetAtRow,
  newBrowser,
  openLink,
  remakeSessions,
  reset,
  resetLink,
  typesOf,
  userOf,
} from './support/account.ts'
import { anotherNetwork, createBrowser, csrfIn, type Page, TRUST_LOOPBACK } from './support/browser.ts'
import {
  ASKED,
  finish,
  isComingIn,
  LOST,
  linksIn,
  READY,
  REMOVED,
  requestTo,
  startOwners,
  stop,
} from './support/lost-factors.ts'
import { letTimePass } from './support/recoveries.ts'
import { auditTrail, begin, codeOf, isSignedIn, journeyOf, refresh, signIn } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let place: Awaited<ReturnType<typeof startOwners>>
let server: TestServer
beforeAll(async () => {
  place = await startOwners()
  server = place.server
})
afterAll(() => place.close())

describe('asking', () => {
  test('tells what else lets one in, what will happen and for how long, and signs nobody in', async () => {
    const owner = await place.newOwner()
    const { browser, page } = await halfWay(server, owner)
    expect(page.text).toContain(LOST)
    const form = await browser.get(`${page.url}/lost`)
    expect(form.status).toBe(200)
    for (const word of ['Use your authenticator app', 'Use a recovery code', '3 days', owner.email])
      expect(form.text).toContain(word)
    expect(await place.trailOf(owner)).toEqual([])
    const asked = await browser.submit(form, '/lost')
    expect(asked.status).toBe(303)
    const waiting = await browser.follow(asked)
    expect(waiting.text).toContain('Now it needs time')
    expect(waiting.text).toContain('UTC')
    expect(await isSignedIn(browser, server)).toBe(false)
    expect(await place.trailOf(owner)).toEqual(['recovery.asked'])
    const letter = await letterAbout(server, owner.email, { subject: ASKED })
    expect(letter.text).toContain('within 3 days')
  })

  test('leaves the second step where it was: found again, it lets its owner in', async () => {
    const owner = await place.newOwner()
    const { browser, page } = await place.ask(owner)
    const step = await browser.get(`${journeyOf(page)}/second/totp`)
    const code = place.nextCode(owner.secret)
    const told = await browser.follow(await browser.submit(step, '/second/totp', { code }))
    expect(told.text).toContain('Was it you?')
    const done = await browser.follow(await browser.submit(told, '/recovery'))
    expect(codeOf(done)).toBeTruthy()
  })

  test('twice keeps the clock, and writes no second letter', async () => {
    const owner = await place.newOwner()
    const { browser, page } = await halfWay(server, owner)
    const form = await browser.get(`${page.url}/lost`)
    const first = await place.ask(owner)
    await letTimePass(server.database, HOUR)
    const until = (told: Page) => /on (\w+ \d+ [^.]+ UTC)/.exec(told.text)![1]
    const before = until(await first.browser.get(first.page.url))
    const again = await browser.follow(await browser.submit(form, '/lost'))
    expect(until(again)).toBe(before)
    expect(until(again)).not.toBe(until(first.page))
    await letterAbout(server, owner.email, { subject: ASKED })
    expect(await place.countOf(owner.email, ASKED)).toBe(1)
    expect(await place.trailOf(owner)).toEqual(['recovery.asked'])
  })

  test('is possible three times in thirty days', async () => {
    const owner = await place.newOwner()
    for (const count of [1, 2, 3]) {
      await place.ask(owner)
      await stop(await place.stopLink(owner, count))
    }
    const { browser, page } = await halfWay(server, owner)
    const refused = await browser.submit(await browser.get(`${page.url}/lost`), '/lost')
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan((29 * DAY) / 1000)
    expect(refused.text).toContain('ask again in 30 days')
    expect(await place.countOf(owner.email, ASKED)).toBe(3)
  })

  test('is for whoever has proved a first factor in this journey, and nobody else', async () => {
    const owner = await place.newOwner()
    const stranger = newBrowser()
    const door = await begin(stranger, requestTo(server))
    expect(door.text).not.toContain(LOST)
    expect((await stranger.get(`${door.url}/lost`)).headers.get('location')).toBe(new URL(door.url).pathname)
    const csrf = csrfIn(door)
    const posted = await stranger.send(`${door.url}/lost`, { form: { csrf } })
    expect(posted.status).toBe(303)
    // A session of theirs that is asked for more is no proof either: it may be old, or stolen.
    await remakeSessions(server, owner, { amr: ['pwd'], acr: 'urn:anteroom:acr:1' })
    const stepUp = await begin(owner.browser, requestTo(server, { acr_values: 'urn:anteroom:acr:2' }))
    expect(stepUp.text).toContain('Authentication code')
    expect(stepUp.text).not.toContain(LOST)
    expect((await owner.browser.get(`${stepUp.url}/lost`)).status).toBe(404)
    expect(await place.trailOf(owner)).toEqual([])
  })

  test('needs our own form', async () => {
    const { browser, page } = await halfWay(server, await place.newOwner())
    for (const form of [{ csrf: '' }, { csrf: 'wrong' }])
      expect((await browser.send(`${page.url}/lost`, { form })).status).toBe(403)
  })

  test('is not for an address nobody proved', async () => {
    const owner = await place.newOwner()
    await server.database.pool.query('update users set email_verified_at = null where id = $1', [owner.id])
    const { browser, page } = await halfWay(server, owner)
    expect(page.text).not.toContain(LOST)
    expect((await browser.get(`${page.url}/lost`)).status).toBe(404)
    const csrf = csrfIn(page)
    expect((await browser.send(`${page.url}/lost`, { form: { csrf } })).status).toBe(404)
    await confirm(server, owner.email)
    expect((await browser.get(`${page.url}/lost`)).status).toBe(200)
  })

  test('half signed in still reaches nothing else', async () => {
    const owner = await place.newOwner()
    const { browser, page } = await place.ask(owner)
    const csrf = csrfIn(await browser.get(page.url))
    for (const path of ['recovery', 'recovery/stop', 'second', 'enrol/totp/begin']) {
      const answer = await browser.send(`${journeyOf(page)}/${path}`, { form: { csrf } })
      expect([303, 400]).toContain(answer.status)
    }
    const here = await browser.send(`${server.issuer}/account/recovery/stop`, { form: { csrf } })
    expect(here.headers.get('location')).toContain('/auth?')
    expect(await isSignedIn(browser, server)).toBe(false)
    expect(await place.trailOf(owner)).toEqual(['recovery.asked'])
  })
})

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

describe('where the policy has no wait', () => {
  let strict: TestServer
  beforeAll(async () => {
    strict = await startServer({
      settings: TRUST_LOOPBACK,
      now: place.now,
      policy: (policy) => ({ ...policy, factors: { ...policy.factors, recovery_wait: 0 } }),
    })
  })
  afterAll(() => strict.close())

  test('nothing is offered, and nothing can be asked for', async () => {
    const owner = await place.newOwner(strict)
    const { browser, page } = await halfWay(strict, owner)
    expect(page.text).toContain('Authentication code')
    expect(page.text).not.toContain(LOST)
    expect((await browser.get(`${page.url}/lost`)).status).toBe(404)
    const csrf = csrfIn(page)
    expect((await browser.send(`${page.url}/lost`, { form: { csrf } })).status).toBe(404)
    expect(await auditTrail(strict, 'recovery.%')).toEqual([])
  })
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

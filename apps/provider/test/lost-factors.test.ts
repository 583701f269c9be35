// Every second factor is lost: who may ask to have them taken off.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DAY, HOUR } from '../src/lib/clock.ts'
import { confirm, halfWay, letterAbout, newBrowser, remakeSessions } from './support/account.ts'
import { csrfIn, type Page, TRUST_LOOPBACK } from './support/browser.ts'
import { ASKED, LOST, requestTo, startOwners, stop } from './support/lost-factors.ts'
import { letTimePass } from './support/recoveries.ts'
import { auditTrail, begin, codeOf, isSignedIn, journeyOf } from './support/relying-party.ts'
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

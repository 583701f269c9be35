// While a recovery runs everybody it concerns is told, and each of them can stop it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DAY, HOUR } from '../src/lib/clock.ts'
import {
  challengeOf,
  changeAddress,
  halfWay,
  letterAbout,
  newBrowser,
  newMember,
  openLink,
  typesOf,
} from './support/account.ts'
import { csrfIn } from './support/browser.ts'
import {
  ASKED,
  isComingIn,
  linksIn,
  NOW_POSSIBLE,
  READY,
  requestTo,
  STAYS,
  startOwners,
  stop,
} from './support/lost-factors.ts'
import { linkIn } from './support/mailbox.ts'
import { begin, isSignedIn, newEmail } from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

let place: Awaited<ReturnType<typeof startOwners>>
let server: TestServer
beforeAll(async () => {
  place = await startOwners()
  server = place.server
})
afterAll(() => place.close())

describe('while it runs', () => {
  test('the mailbox hears of it every day, from all instances once', async () => {
    const owner = await place.newOwner()
    await place.ask(owner)
    for (const count of [2, 3]) {
      await place.pass(DAY)
      await letterAbout(server, owner.email, { subject: ASKED, count })
      await place.tellAll()
      expect(await place.countOf(owner.email, ASKED)).toBe(count)
    }
  })

  test('so does an address that the person left lately, and it can stop it', async () => {
    const member = await newMember(server)
    const email = newEmail()
    await changeAddress(server, member.browser, email)
    const owner = { ...(await place.enrol(member)), email, former: member.email }
    await place.ask(owner)
    const letter = await letterAbout(server, owner.former, { subject: ASKED })
    await place.pass(72 * HOUR)
    await letterAbout(server, owner.email, { subject: READY })
    const reminder = await letterAbout(server, owner.former, { subject: NOW_POSSIBLE })
    expect(linksIn(reminder)).toHaveLength(1)
    expect((await stop(linkIn(letter))).status).toBe(200)
    await letterAbout(server, owner.email, { subject: STAYS })
    await letterAbout(server, owner.former, { subject: STAYS })
  })

  test('every page of whoever is signed in says so, and stops it with one button', async () => {
    const owner = await place.newOwner()
    await place.ask(owner)
    for (const path of ['/', '/account', '/account/security'])
      expect((await owner.browser.get(server.issuer + path)).text, path).toContain('Stop it')
    const account = await owner.browser.get(`${server.issuer}/account`)
    const stopped = await owner.browser.submit(account, '/account/recovery/stop')
    expect(stopped.status).toBe(200)
    expect(stopped.text).toContain('Choose a new password')
    expect((await owner.browser.get(`${server.issuer}/account`)).text).not.toContain('Stop it')
    expect(await place.trailOf(owner)).toEqual(['recovery.asked', 'recovery.stopped'])
    const again = await owner.browser.submit(account, '/account/recovery/stop')
    expect(again.headers.get('location')).toBe('/account')
    await letterAbout(server, owner.email, { subject: STAYS })
    expect(await place.countOf(owner.email, STAYS)).toBe(1)
  })

  test('the stop in the account needs a session and our own form', async () => {
    const owner = await place.newOwner()
    await place.ask(owner)
    const url = `${server.issuer}/account/recovery/stop`
    expect((await owner.browser.send(url, { form: {} })).status).toBe(403)
    expect((await owner.browser.get(url)).status).toBe(404)
    const stranger = await newMember(server)
    const csrf = csrfIn(await stranger.browser.get(`${server.issuer}/account`))
    expect((await stranger.browser.send(url, { form: { csrf } })).headers.get('location')).toBe('/account')
    expect(await place.trailOf(owner)).toEqual(['recovery.asked'])
  })

  test('a signed-in browser is told on the way to an app, once a day, and goes on', async () => {
    const owner = await place.newOwner()
    await place.ask(owner)
    const told = await begin(owner.browser, requestTo(server))
    expect(told.text).toContain('Was it you?')
    const done = await owner.browser.follow(await owner.browser.submit(told, '/recovery'))
    expect(isComingIn(done)).toBe(true)
    expect(isComingIn(await begin(owner.browser, requestTo(server)))).toBe(true)
    // The day is over: the cookie is gone.
    for (const [key, { name }] of owner.browser.jar)
      if (name.startsWith('anteroom_recovery')) owner.browser.jar.delete(key)
    expect((await begin(owner.browser, requestTo(server))).text).toContain('Was it you?')
  })

  test('a cookie that we did not make does not hide it', async () => {
    const owner = await place.newOwner()
    await place.ask(owner)
    const { id } = await challengeOf(server, 'recovery', owner.id)
    owner.browser.jar.set('x', { name: 'anteroom_recovery', value: id, path: '/' })
    expect((await begin(owner.browser, requestTo(server))).text).toContain('Was it you?')
  })

  test('an app that asks without a page gets its answer: nobody is signed out by it', async () => {
    const owner = await place.newOwner()
    await place.ask(owner)
    const silent = await begin(owner.browser, requestTo(server, { prompt: 'none' }))
    expect(isComingIn(silent)).toBe(true)
  })

  test('is stopped on the way to an app, with a word about the password, and the way goes on', async () => {
    const owner = await place.newOwner()
    await place.ask(owner)
    const told = await begin(owner.browser, requestTo(server))
    const stopped = await owner.browser.follow(await owner.browser.submit(told, '/recovery/stop'))
    expect(stopped.text).toContain('choose a new password')
    const done = await owner.browser.follow(await owner.browser.submit(stopped, '/recovery'))
    expect(isComingIn(done)).toBe(true)
    expect(await place.trailOf(owner)).toEqual(['recovery.asked', 'recovery.stopped'])
    expect(isComingIn(await begin(owner.browser, requestTo(server)))).toBe(true)
  })

  test('nobody else is told', async () => {
    await place.ask(await place.newOwner())
    const other = await place.newOwner()
    expect(isComingIn(await begin(other.browser, requestTo(server)))).toBe(true)
    expect((await other.browser.get(`${server.issuer}/account`)).text).not.toContain('Stop it')
  })
})

describe('the link that stops it', () => {
  test('T033: does nothing when it is looked at, and stops once when its button is pressed', async () => {
    const owner = await place.newOwner()
    await place.ask(owner)
    const link = await place.stopLink(owner)
    const scanner = newBrowser()
    for (const method of ['GET', 'HEAD']) {
      await scanner.send(link, { method })
      await scanner.send(`${server.issuer}/recover/stop`, { method })
    }
    expect(await place.trailOf(owner)).toEqual(['recovery.asked'])
    const browser = newBrowser()
    const stopped = await stop(link, browser)
    expect(stopped.status).toBe(200)
    expect(stopped.text).toContain('Choose a new password')
    expect((await openLink(link)).status).toBe(410)
    expect(await place.trailOf(owner)).toEqual(['recovery.asked', 'recovery.stopped'])
    expect(await isSignedIn(browser, server)).toBe(false)
  })

  test('works from any of the letters, and kills the link that finishes it', async () => {
    const owner = await place.newOwner()
    const links = await place.becomeReady(owner)
    const first = await place.stopLink(owner)
    expect((await openLink(links.stopLink)).status).toBe(200)
    expect((await stop(first)).status).toBe(200)
    expect((await openLink(links.finishLink)).status).toBe(410)
    expect((await openLink(links.stopLink)).status).toBe(410)
    expect(await typesOf(server, owner)).toContain('totp')
    const { page } = await halfWay(server, owner)
    expect(page.text).toContain('Authentication code')
  })
})

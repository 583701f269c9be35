import { randomBytes } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  codeTo,
  FOREIGN,
  newBrowser,
  newMember,
  openLink,
  startAccountServer,
  userOf,
  wrongCode,
} from './support/account.ts'
import { type Browser, formsOf } from './support/browser.ts'
import { linkIn, waitForLetter } from './support/mailbox.ts'
import { auditTrail, newEmail, refresh, signIn, signUpAndIn } from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startAccountServer()
})
afterAll(() => server.close())

const account = () => `${server.issuer}/account`
const rename = async (browser: Browser, fields: Record<string, string>) =>
  browser.submit(await browser.get(account()), '/account', fields)

describe('a name', () => {
  test('is saved, told once, and known to apps from then on', async () => {
    const { browser, email, id, refreshToken } = await newMember(server)
    const answer = await rename(browser, { name: '  Grace Hopper ' })
    expect([answer.status, answer.next]).toEqual([303, account()])
    const page = await browser.follow(answer)
    expect(page.text).toContain('Saved.')
    expect(page.text).toContain('value="Grace Hopper"')
    expect((await browser.get(account())).text).not.toContain('Saved.')
    expect((await userOf(server, email)).name).toBe('Grace Hopper')
    const { body } = await refresh(server, server.clients.own, refreshToken)
    expect(decodeJwt(body.id_token)['name']).toBe('Grace Hopper')
    const trail = await auditTrail(server, 'profile.changed')
    expect(trail.filter(({ user_id }) => user_id === id)).toHaveLength(1)
  })

  test('may be left out', async () => {
    const { browser, email } = await newMember(server)
    expect((await rename(browser, { name: ' ' })).status).toBe(303)
    expect((await userOf(server, email)).name).toBeNull()
  })

  test.each(['x'.repeat(101), 'Ada\u0007'])('is not just anything', async (name) => {
    const { browser, email } = await newMember(server)
    const answer = await rename(browser, { name })
    expect(answer.status).toBe(422)
    expect(answer.text).toContain('There is a problem')
    expect((await userOf(server, email)).name).toBe('Ada Lovelace')
  })

  test('T121: is all that the form changes, whatever else is posted', async () => {
    const { browser, email, id } = await newMember(server)
    const before = await userOf(server, email)
    const more = {
      id: 'usr_x',
      sub: 'usr_x',
      email: 'evil@example.com',
      emailVerified: 'false',
      email_verified: 'false',
      role: 'admin',
      generation: '7',
      disabledAt: '2020-01-01',
      createdAt: '2020-01-01',
      __proto__: 'x',
    }
    expect((await rename(browser, { name: 'Grace', ...more })).status).toBe(303)
    const { updatedAt, ...after } = await userOf(server, email)
    expect(after).toEqual({ ...before, name: 'Grace', updatedAt: undefined })
    expect(after.id).toBe(id)
    expect(updatedAt).not.toEqual(before.updatedAt)
  })

  test('T120: of somebody else is out of reach', async () => {
    const first = await newMember(server)
    const second = await newMember(server)
    const page = await first.browser.get(account())
    const { fields } = formsOf(page).find(({ action }) => action === account())!
    for (const path of ['/account', `/account?id=${second.id}`, `/account?user=${second.id}`]) {
      const form = { ...fields, name: 'Mallory', id: second.id, userId: second.id, email: second.email }
      await first.browser.send(server.issuer + path, { form })
    }
    for (const path of [`/account/${second.id}`, `/users/${second.id}`, `/account/profile`])
      expect((await first.browser.get(server.issuer + path)).status).toBe(404)
    expect((await userOf(server, second.email)).name).toBe('Ada Lovelace')
  })

  test('T025: is not changed by another site, nor without our form', async () => {
    const { browser, email } = await newMember(server)
    const { fields } = formsOf(await browser.get(account())).find(({ action }) => action === account())!
    const form = { ...fields, name: 'Mallory' }
    for (const headers of FOREIGN) expect((await browser.send(account(), { form, headers })).status).toBe(403)
    expect((await browser.send(account(), { form: { name: 'Mallory' } })).status).toBe(403)
    for (const method of ['PUT', 'PATCH', 'DELETE'])
      expect([404, 405]).toContain((await browser.send(account(), { form, method })).status)
    expect((await userOf(server, email)).name).toBe('Ada Lovelace')
  })
})

describe('our own pages', () => {
  const PAGES = ['/account', '/account/security', '/account/security/password', '/account/address', '/verify']
  const EVIL = [
    '//e',
    '/\\e',
    '/%5ce',
    '/%09/e',
    'https:e',
    '///e',
    '/.//e',
    'javascript:x',
    'http://localhost@e',
  ]

  test.each(PAGES)(
    'T022: %s brings whoever signs in back to itself, and to no address of theirs',
    async (path) => {
      const { email } = await newMember(server)
      const url = server.issuer + path
      for (const evil of ['', ...EVIL]) {
        const browser = newBrowser()
        const query = evil && `?${new URLSearchParams({ next: evil, returnTo: evil, callbackURL: evil })}`
        const asked = await browser.get(url + query, { referer: 'https://e/' })
        expect(asked.status).toBe(303)
        expect(new URL(asked.next!).searchParams.get('redirect_uri')).toBe(url)
        if (evil !== '' && evil !== EVIL[0]) continue
        const back = await signIn(browser, await browser.follow(asked), { email })
        // Whose address is confirmed has nothing to do there.
        expect([back.status, back.url]).toEqual([200, path === '/verify' ? account() : url])
      }
    },
  )

  test.each(PAGES)(
    'T039: %s loads nothing from elsewhere, tells nobody and is kept by nobody',
    async (path) => {
      const { browser } = await newMember(server)
      const page = await browser.follow(await browser.get(server.issuer + path))
      expect(page.headers.get('cache-control')).toBe('no-store')
      expect(page.headers.get('referrer-policy')).toBe('no-referrer')
      expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin')
      for (const [, url] of page.text.matchAll(/(?:src|href)="([^"]+)"/g))
        expect(new URL(url!, page.url).origin).toBe(server.issuer)
    },
  )

  test('say nothing that somebody else wrote into a cookie or an address', async () => {
    const { browser } = await newMember(server)
    browser.jar.set('anteroom_notice|/', { name: 'anteroom_notice', value: 'gratulations', path: '/' })
    const page = await browser.get(account())
    expect(page.text).not.toContain('gratulations')
    expect(browser.jar.has('anteroom_notice|/')).toBe(false)
    const told = await browser.follow(await browser.get(`${account()}?notice=name&saved=1`))
    expect(told.text).not.toContain('Saved.')
  })
})

describe('T004: an address nobody confirmed', () => {
  const newcomer = async () => {
    const { browser: first, email } = await signUpAndIn(server, server.clients.own)
    const browser = newBrowser()
    first.copyJarTo(browser)
    return { browser, email, link: linkIn(await waitForLetter(server, email)) }
  }
  const verifiedAt = async (email: string) => (await userOf(server, email)).emailVerifiedAt
  const verify = () => `${server.issuer}/verify`

  test('is confirmed with the code of its letter, once', async () => {
    const { browser, email } = await newcomer()
    expect((await browser.get(account())).text).toContain('Not confirmed yet')
    const page = await browser.get(verify())
    const code = await codeTo(server, email)
    for (const typed of ['', '12', wrongCode(code)])
      expect((await browser.submit(page, '/verify', { code: typed })).status).toBe(422)
    const done = await browser.follow(await browser.submit(page, '/verify', { code }))
    expect(done.text).toContain('Your address is confirmed.')
    expect(await verifiedAt(email)).not.toBeNull()
    const again = await browser.submit(page, '/verify', { code })
    expect(again.next).toBe(account())
    expect((await auditTrail(server, 'address.confirmed')).length).toBeGreaterThan(0)
  })

  test('is confirmed by the link of its letter, in the browser of its person, when they press the button', async () => {
    const { browser, email, link } = await newcomer()
    const scanner = newBrowser()
    for (const method of ['HEAD', 'GET']) await scanner.send(link, { method })
    const there = await scanner.follow(await scanner.get(link))
    expect(there.status).toBe(200)
    expect(there.text).toContain('type the code')
    expect(formsOf(there)).toEqual([])

    const page = await openLink(link, browser)
    expect(page.url).toBe(verify())
    expect(await verifiedAt(email)).toBeNull()
    const done = await browser.submit(page, '/verify')
    expect(done.next).toBe(account())
    expect(await verifiedAt(email)).not.toBeNull()
    expect((await openLink(link, browser)).url).toBe(account())
  })

  test('is confirmed by its link in another browser, once its person has signed in there', async () => {
    const { email, link } = await newcomer()
    const elsewhere = newBrowser()
    const page = await openLink(link, elsewhere)
    const signInUrl = /href="([^"]*\/auth\?[^"]*)"/
      .exec(page.text)![1]!
      .replaceAll('&#38;', '&')
      .replaceAll('&amp;', '&')
    const door = await elsewhere.follow(await elsewhere.get(new URL(signInUrl, page.url).href))
    const back = await signIn(elsewhere, door, { email })
    expect((await elsewhere.submit(back, '/verify')).next).toBe(account())
    expect(await verifiedAt(email)).not.toBeNull()
  })

  test('T041: is not confirmed by guessing links', async () => {
    const { browser, email } = await newcomer()
    const statuses = []
    for (let guesses = 0; guesses < 40; guesses++) {
      const token = randomBytes(32).toString('base64url')
      statuses.push((await openLink(`${verify()}?token=${token}`, browser)).status)
    }
    expect(new Set(statuses.slice(0, 30))).toEqual(new Set([410]))
    expect(new Set(statuses.slice(30))).toEqual(new Set([429]))
    expect(await verifiedAt(email)).toBeNull()
  })

  test('is not confirmed by an older link, by an expired one, or by somebody else’s', async () => {
    const { browser, email, link } = await newcomer()
    const { fields } = formsOf(await browser.get(verify())).find(({ action }) => action === verify())!
    expect((await browser.send(`${verify()}/begin`, { form: fields })).next).toBe(verify())
    await codeTo(server, email, 2)
    expect((await openLink(link, browser)).status).toBe(410)

    const other = await newcomer()
    expect((await openLink(other.link, browser)).status).toBe(410)
    const token = new URL(other.link).searchParams.get('token')!
    expect((await browser.send(verify(), { form: { ...fields, token } })).status).toBe(410)

    await server.database.pool.query(`update challenges set expires_at = now() where binding = $1`, [
      (await userOf(server, other.email)).id,
    ])
    expect((await openLink(other.link, other.browser)).status).toBe(410)
    for (const person of [email, other.email]) expect(await verifiedAt(person)).toBeNull()
  })

  test('is not confirmed by the link of an address its person has left', async () => {
    const { browser, email, link } = await newcomer()
    const next = newEmail()
    const form = await browser.get(`${server.issuer}/account/address`)
    const page = await browser.follow(await browser.submit(form, '/address', { email: next }))
    await browser.submit(page, '/confirm', { code: await codeTo(server, next) })
    const { id, emailVerifiedAt } = await userOf(server, next)
    await server.database.prisma.user.update({ where: { id }, data: { emailVerifiedAt: null } })
    expect(emailVerifiedAt).not.toBeNull()
    expect((await openLink(link, browser)).status).toBe(410)
    expect(email).not.toBe(next)
  })

  test('is guessed at so often and no more', async () => {
    const { browser, email } = await newcomer()
    const page = await browser.get(verify())
    const wrong = wrongCode(await codeTo(server, email))
    for (let tries = 0; tries < 5; tries++) await browser.submit(page, '/verify', { code: wrong })
    const code = await codeTo(server, email)
    expect((await browser.submit(page, '/verify', { code })).status).toBe(422)
    expect(await verifiedAt(email)).toBeNull()
    const statuses = []
    for (let tries = 0; tries < 15; tries++)
      statuses.push((await browser.submit(page, '/verify', { code: wrong })).status)
    expect(statuses.at(-1)).toBe(429)
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { anotherNetwork, type Browser, createBrowser, csrfIn, type Page } from './support/browser.ts'
import { codeIn, lettersTo, linkIn, waitForLetter } from './support/mailbox.ts'
import {
  auditTrail,
  authorizationRequest,
  begin,
  claimsOf,
  codeOf,
  isSignedIn,
  newEmail,
  PASSWORD,
  signIn,
} from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'
import { startTwins, type Twins } from './support/twins.ts'

let twins: Twins
let server: TestServer
let sibling: TestServer
beforeAll(async () => {
  twins = await startTwins({
    policy: (policy) => ({
      ...policy,
      registration: { ...policy.registration, confirmation: 'first' as const },
    }),
  })
  ;({ server, sibling } = twins)
})
afterAll(() => twins.close())

const newBrowser = () => createBrowser({ headers: anotherNetwork() })

async function open(browser = newBrowser()) {
  const request = authorizationRequest(server, server.clients.own)
  return { browser, request, page: await begin(browser, request) }
}

const ask = async (browser: Browser, page: Page, email: string) =>
  browser.follow(await browser.submit(page, '/method/email-code/begin', { email }))
const enter = async (browser: Browser, page: Page, code: string) =>
  browser.follow(await browser.submit(page, '/method/email-code', { code }))
const codeTo = async (email: string, count = 1) => codeIn(await waitForLetter(server, email, count))
const users = (email: string) => server.database.prisma.user.findMany({ where: { emailCanonical: email } })
/** Lets the address have a letter again. */
const pause = () => server.database.pool.query("delete from rate_limits where key like '%letters%'")
const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0')

/** A new person with a password and a confirmed address. */
async function signUp(email = newEmail()) {
  const { browser, page } = await open()
  const form = await browser.get(`${page.url}/register`)
  const asked = await browser.follow(
    await browser.submit(form, '/register', { email, name: 'Ada Lovelace', password: PASSWORD }),
  )
  const done = await enter(browser, asked, await codeTo(email))
  await pause()
  return { email, browser, done }
}

describe('a sign-up with a password', () => {
  test('ends at the app with a confirmed address, once the code of the letter is entered', async () => {
    const email = newEmail()
    const { browser, request, page } = await open()
    const form = await browser.get(`${page.url}/register`)
    const asked = await browser.follow(
      await browser.submit(form, '/register', { email, name: 'Ada', password: PASSWORD }),
    )
    expect(asked.text).toContain('Check your mail')
    expect(await users(email)).toEqual([])
    const done = await enter(browser, asked, await codeTo(email))
    const claims = await claimsOf(server, { request, page: done })
    expect(claims).toMatchObject({ email, email_verified: true, amr: ['pwd'] })
    const trail = (await auditTrail(server)).filter(({ user_id }) => user_id === claims.sub)
    expect(trail.map(({ type }) => type)).toEqual(['user.registered', 'sign_in.succeeded'])
  })

  test('T001: says and does the same whether or not the address has an account', async () => {
    const { email: taken } = await signUp()
    const shape = async (email: string, way: 'password' | 'code') => {
      const { browser, page } = await open()
      const answer =
        way === 'code'
          ? await browser.submit(page, '/method/email-code/begin', { email })
          : await browser.submit(await browser.get(`${page.url}/register`), '/register', {
              email,
              name: 'Ada',
              password: PASSWORD,
            })
      const next = await browser.follow(answer)
      const uid = /interaction\/([\w-]+)/.exec(page.url)![1]!
      const plain = (text: string) =>
        text
          .replaceAll(uid, 'UID')
          .replaceAll(email, 'EMAIL')
          .replace(/name="csrf" value="[^"]+"/g, '')
      return {
        statuses: [answer.status, next.status],
        location: plain(answer.headers.get('location') ?? ''),
        names: [...answer.headers.keys()].sort(),
        cookies: [...browser.jar.keys()].map(plain).sort(),
        text: plain(next.text),
      }
    }
    for (const way of ['password', 'code'] as const) {
      const fresh = await shape(newEmail(), way)
      for (let times = 0; times < 3; times++) {
        await pause()
        expect(await shape(taken, way)).toEqual(fresh)
        expect(await shape(newEmail(), way)).toEqual(fresh)
      }
    }
    expect(await users(taken)).toHaveLength(1)
    const subjects = (await lettersTo(server, taken)).map(({ subject }) => subject)
    expect(subjects.filter((subject) => /already/i.test(subject)).length).toBeGreaterThan(0)
  })

  test('T014: twenty at once with one address at two instances end as one account, with one letter', async () => {
    const email = newEmail()
    const tries = Array.from({ length: 20 }, async () => {
      const { browser, page } = await open()
      const form = await browser.get(`${page.url}/register`)
      const answer = await browser.submit(form, '/register', { email, name: 'Ada', password: PASSWORD })
      return { browser, answer }
    })
    const answers = await Promise.all(tries)
    const statuses = answers.map(({ answer }) => answer.status)
    expect(statuses.filter((status) => status === 303)).toHaveLength(1)
    expect(statuses.filter((status) => status === 429)).toHaveLength(19)
    const { browser, answer } = answers.find(({ answer }) => answer.status === 303)!
    await enter(browser, await browser.follow(answer), await codeTo(email))
    expect(await users(email)).toHaveLength(1)
    expect(await lettersTo(server, email)).toHaveLength(1)
    expect(await server.database.prisma.challenge.count({ where: { binding: email } })).toBe(1)
  })
})

describe('a person who asks for a code', () => {
  test('is back at the app with it, whether they had an account or not', async () => {
    const { email } = await signUp()
    for (const address of [email, newEmail()]) {
      const { browser, request, page } = await open()
      const asked = await ask(browser, page, address)
      const count = address === email ? 2 : 1
      const done = await enter(browser, asked, await codeTo(address, count))
      const claims = await claimsOf(server, { request, page: done })
      expect(claims).toMatchObject({ email: address, email_verified: true, amr: ['otp'] })
      expect(await isSignedIn(browser, server)).toBe(true)
    }
  })

  test('T033: is let in by the link after scanners looked at it, who got nothing', async () => {
    const email = newEmail()
    const { browser, page } = await open()
    await ask(browser, page, email)
    const link = linkIn(await waitForLetter(server, email))
    for (const method of ['GET', 'HEAD', 'GET', 'HEAD']) {
      const scanner = newBrowser()
      const seen = await scanner.send(link, { method })
      expect(seen.headers.get('set-cookie') ?? '').not.toMatch(/session/)
      const followed = method === 'GET' ? await scanner.follow(seen) : seen
      expect(followed.status).toBeLessThan(500)
      expect(await isSignedIn(scanner, server)).toBe(false)
    }
    const opened = await browser.follow(await browser.get(link))
    expect(opened.url).not.toContain('token')
    expect(opened.headers.get('referrer-policy')).toBe('no-referrer')
    expect(opened.headers.get('cache-control')).toBe('no-store')
    const done = await browser.follow(await browser.submit(opened, '/method/email-code'))
    expect(codeOf(done)).toBeTruthy()
    expect((await browser.follow(await browser.get(link))).status).toBeGreaterThanOrEqual(400)
  })

  test('is told on another device to type the code where it was asked for', async () => {
    const email = newEmail()
    const { browser, page } = await open()
    const asked = await ask(browser, page, email)
    const letter = await waitForLetter(server, email)
    const other = newBrowser()
    const there = await other.follow(await other.get(linkIn(letter)))
    expect(there.status).toBe(422)
    expect(there.text).toMatch(/type the code/i)
    expect(codeOf(await enter(browser, asked, codeIn(letter)))).toBeTruthy()
  })

  test('uses the newest code alone', async () => {
    const email = newEmail()
    const { browser, page } = await open()
    const asked = await ask(browser, page, email)
    const first = await codeTo(email)
    await pause()
    const again = await browser.follow(await browser.submit(asked, '/method/email-code/begin'))
    const second = await codeTo(email, 2)
    if (first !== second) expect((await enter(browser, again, first)).status).toBe(422)
    expect(codeOf(await enter(browser, again, second))).toBeTruthy()
  })

  test('who presses twice is at the page for the code, and one letter was sent', async () => {
    const email = newEmail()
    const { browser, page } = await open()
    await ask(browser, page, email)
    const second = await browser.submit(page, '/method/email-code/begin', { email })
    expect(second.status).toBe(429)
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(codeOf(await enter(browser, second, await codeTo(email)))).toBeTruthy()
    expect(await lettersTo(server, email)).toHaveLength(1)
  })

  test('is not let in by a code that belongs to another browser’s journey', async () => {
    const email = newEmail()
    const victim = await open()
    await ask(victim.browser, victim.page, email)
    const code = await codeTo(email)
    await pause()
    const thief = await open()
    const theirs = await ask(thief.browser, thief.page, newEmail())
    expect((await enter(thief.browser, theirs, code)).status).toBe(422)
    expect(await isSignedIn(thief.browser, server)).toBe(false)
  })

  test('sees what was wrong, and has what was typed still there', async () => {
    const email = newEmail()
    const { browser, page } = await open()
    const asked = await ask(browser, page, email)
    const code = await codeTo(email)
    const refused = await enter(browser, asked, wrong(code))
    expect(refused.status).toBe(422)
    expect(refused.text).toMatch(/<title>Error: /)
    expect(refused.text).toContain(email)
    expect(codeOf(await enter(browser, refused, code))).toBeTruthy()
  })

  test('T016: wrong codes count for the address, and a new letter brings no new tries', async () => {
    const email = newEmail()
    const { browser, page } = await open()
    let asked = await ask(browser, page, email)
    const seen: number[] = []
    for (let letters = 1; seen.length < 16; letters++) {
      const code = await codeTo(email, letters)
      for (let tries = 0; tries < 5; tries++) {
        asked = await enter(browser, asked, wrong(code))
        seen.push(asked.status)
      }
      await pause()
      asked = await browser.follow(await browser.submit(asked, '/method/email-code/begin'))
    }
    expect(seen.slice(0, 15)).toEqual(Array(15).fill(422))
    expect(seen.slice(15)).toEqual(seen.slice(15).map(() => 429))
  })

  test('three hundred guesses at two instances at once are looked at five times at most', async () => {
    const email = newEmail()
    const { browser, page } = await open()
    const asked = await ask(browser, page, email)
    const code = await codeTo(email)
    const uid = /interaction\/([\w-]+)/.exec(asked.url)![1]!
    const csrf = csrfIn(asked)
    const at = [server, sibling]
    const guesses = Array.from({ length: 300 }, async (_, index) => {
      const each = createBrowser({ headers: anotherNetwork(), at: at[index % 2]!.address })
      browser.copyJarTo(each)
      const url = `${server.issuer}/interaction/${uid}/method/email-code`
      return (await each.send(url, { form: { csrf, code: wrong(code) } })).status
    })
    const statuses = await Promise.all(guesses)
    expect(statuses.filter((status) => status === 422 || status === 429)).toHaveLength(300)
    const { rows } = await server.database.pool.query('select attempts from challenges where binding = $1', [
      email,
    ])
    expect(rows).toEqual([{ attempts: 5 }])
  })

  test('may write any hostile thing instead of an address, and is told quickly what one looks like', async () => {
    const { browser, page } = await open()
    const hostile = [
      'a@b@c.example',
      '"quoted"@example.com',
      'ada@example.com, eve@example.com',
      'group: ada@example.com;',
      'ada@example.com (comment)',
      'ada@example.com\r\nBcc: eve@example.com',
      `${'a'.repeat(65)}@example.com`,
      `${'a.'.repeat(400)}@example.com`,
      `a@${'b.'.repeat(400)}com`,
      '<%= 7*7 %>@{{7*7}}',
    ]
    for (const email of hostile) {
      const began = performance.now()
      const answer = await browser.submit(page, '/method/email-code/begin', { email })
      expect(answer.status, email).toBe(422)
      expect(performance.now() - began, email).toBeLessThan(1000)
    }
    expect(await server.database.prisma.letter.count({ where: { kind: 'code', sentAt: null } })).toBe(0)
  })
})

describe('T015: a sign-in that fails', () => {
  test('fails the same for a wrong password, an unknown, a disabled and a password-less account', async () => {
    const { email } = await signUp()
    const { email: disabled } = await signUp()
    await server.database.prisma.user.updateMany({
      where: { emailCanonical: disabled },
      data: { disabledAt: new Date() },
    })
    const bare = newEmail()
    const { browser, page } = await open()
    await enter(browser, await ask(browser, page, bare), await codeTo(bare))
    const seen = new Set<string>()
    for (const address of [email, newEmail(), disabled, bare]) {
      const { browser, page } = await open()
      const answer = await signIn(browser, page, { email: address, password: 'not the password at all' })
      const uid = /interaction\/([\w-]+)/.exec(page.url)![1]!
      const text = answer.text
        .replaceAll(uid, '')
        .replaceAll(address, '')
        .replace(/data-options="[^"]*"/g, '')
        .replace(/name="csrf" value="[^"]+"/g, '')
      seen.add(`${answer.status} ${text}`)
    }
    expect(seen.size).toBe(1)
  })
})

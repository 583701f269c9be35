// Wrong passwords: what they cost whoever tries, and what they cannot do to whoever owns the account.
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { anotherNetwork, type Browser, createBrowser, type Page, TRUST_LOOPBACK } from './support/browser.ts'
import { codeIn, lettersTo, linkIn, waitForLetter } from './support/mailbox.ts'
import {
  auditTrail,
  authorizationRequest,
  begin,
  codeOf,
  isSignedIn,
  newEmail,
  PASSWORD,
  signIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

const WRONG = 'seven orange umbrellas at night'
const first = { confirmation: 'first' as const }

let server: TestServer
beforeAll(async () => {
  server = await startServer({
    settings: TRUST_LOOPBACK,
    policy: (policy) => ({ ...policy, registration: { ...policy.registration, ...first } }),
  })
})
afterAll(() => server.close())

/** A person with an account, and the browser they made it in. */
async function newOwner(at = server): Promise<{ email: string; browser: Browser }> {
  const email = newEmail()
  const { browser, page } = await open(at)
  const form = await browser.get(`${page.url}/register`)
  const asked = await browser.follow(
    await browser.submit(form, '/register', { email, name: 'Ada', password: PASSWORD }),
  )
  const code = codeIn(await waitForLetter(at, email))
  await browser.follow(await browser.submit(asked, '/method/email-code', { code }))
  return { email, browser }
}

async function open(at = server, browser = createBrowser({ headers: anotherNetwork() })) {
  return { browser, page: await begin(browser, authorizationRequest(at, at.clients.own)) }
}

async function attempt(email: string, password = WRONG, at = server): Promise<Page> {
  const { browser, page } = await open(at)
  return browser.submit(page, '/method/password', { email, password })
}

async function fail(email: string, times: number, at = server) {
  for (let tries = 0; tries < times; tries++) await attempt(email, WRONG, at)
}

const subjectsTo = async (email: string) => (await lettersTo(server, email)).map(({ subject }) => subject)
const pass = (key: string, ms: number) =>
  server.database.pool.query('update rate_limits set expire = expire - $2 where key like $1', [`${key}%`, ms])

describe('T016: an account whose password strangers try', () => {
  let owner: Awaited<ReturnType<typeof newOwner>>
  beforeEach(async () => {
    owner = await newOwner()
  })

  test('refuses the eleventh try, the right password too, and an unknown address just the same', async () => {
    const unknown = newEmail()
    for (const email of [owner.email, unknown]) await fail(email, 10)
    const shape = ({ status, text, headers }: Page, email: string) => ({
      status,
      waits: headers.get('retry-after') !== null,
      text: text
        .replaceAll(email, 'EMAIL')
        .replace(/\/interaction\/[\w-]+/g, '')
        .replace(/data-options="[^"]*"/g, '')
        .replace(/value="[\w-]{43}"/g, ''),
    })
    const locked = shape(await attempt(owner.email, PASSWORD), owner.email)
    expect(locked.status).toBe(429)
    expect(locked.waits).toBe(true)
    expect(shape(await attempt(unknown, PASSWORD), unknown)).toEqual(locked)
  })

  test('tells its owner once, and opens again by itself', async () => {
    await fail(owner.email, 14)
    const about = async () => (await subjectsTo(owner.email)).filter((subject) => !/^\d/.test(subject))
    await vi.waitFor(async () => expect(await about()).toHaveLength(1), { timeout: 10_000 })
    const trail = (await auditTrail(server, 'sign_in.locked')).filter(({ data }) => data['lock'] === 'soft')
    expect(trail.length).toBeGreaterThan(0)
    await pass('password', 16 * 60_000)
    const { browser, page } = await open()
    expect(codeOf(await signIn(browser, page, owner))).toBeTruthy()
    expect((await about()).filter((subject) => /wrong|locked|tries/i.test(subject))).toHaveLength(1)
  })

  test('lets the owner in where they were before, by a mailed code, and leaves their session alone', async () => {
    await fail(owner.email, 12)
    expect(await isSignedIn(owner.browser, server)).toBe(true)

    const known = createBrowser({ headers: anotherNetwork() })
    for (const [key, cookie] of owner.browser.jar) if (/browser/.test(key)) known.jar.set(key, cookie)
    const { page } = await open(server, known)
    expect(codeOf(await signIn(known, page, owner))).toBeTruthy()

    const { browser, page: fresh } = await open()
    const asked = await browser.follow(
      await browser.submit(fresh, '/method/email-code/begin', { email: owner.email }),
    )
    const letters = await vi.waitFor(
      async () => {
        const codes = (await lettersTo(server, owner.email)).filter(({ subject }) => /^\d/.test(subject))
        expect(codes).toHaveLength(2)
        return codes
      },
      { timeout: 10_000 },
    )
    const done = await browser.follow(
      await browser.submit(asked, '/method/email-code', { code: codeIn(letters[0]!) }),
    )
    expect(codeOf(done)).toBeTruthy()
    // Having proved the mailbox here, this browser is known: the password works in it again.
    for (const key of browser.jar.keys()) if (/session/.test(key)) browser.jar.delete(key)
    const { page: again } = await open(server, browser)
    expect(codeOf(await signIn(browser, again, owner))).toBeTruthy()
  })

  test('forgets the tries before when the right person comes through', async () => {
    await fail(owner.email, 9)
    const { browser, page } = await open()
    expect(codeOf(await signIn(browser, page, owner))).toBeTruthy()
    for (let tries = 0; tries < 9; tries++) expect((await attempt(owner.email)).status).toBe(422)
  })

  test('after a hundred in a row takes no password any more, until the owner has chosen a new one', async () => {
    for (let tens = 0; tens < 10; tens++) {
      await fail(owner.email, 10)
      await pass('password_per_account', 16 * 60_000)
    }
    const refused = await attempt(owner.email, PASSWORD)
    expect(refused.status).toBe(429)
    expect(refused.text).toMatch(/Forgot password/)
    expect(await auditTrail(server, 'sign_in.locked')).toContainEqual(
      expect.objectContaining({ data: expect.objectContaining({ lock: 'disabled' }) }),
    )

    const { browser } = await open()
    await browser.submit(await browser.get(`${server.issuer}/forgot`), '/forgot', { email: owner.email })
    const letter = await vi.waitFor(
      async () => {
        const found = (await lettersTo(server, owner.email)).find(({ text }) => /\/reset\?token/.test(text))
        expect(found).toBeTruthy()
        return found!
      },
      { timeout: 10_000 },
    )
    const page = await browser.follow(await browser.get(linkIn(letter)))
    const password = 'nine purple lanterns by the river'
    expect((await browser.submit(page, '/reset', { password })).status).toBeLessThan(400)
    const { browser: other, page: door } = await open()
    expect(codeOf(await signIn(other, door, { email: owner.email, password }))).toBeTruthy()
  })
})

describe('T016: with the delays of the defaults', () => {
  let paced: TestServer
  beforeAll(async () => {
    paced = await startServer({
      settings: TRUST_LOOPBACK,
      policy: (policy) => ({
        ...policy,
        limits: { ...policy.limits, password_pace: { from: 3, first: 1000, most: 60_000 } },
      }),
    })
  })
  afterAll(() => paced.close())
  const over = (ms: number) =>
    paced.database.pool.query("update rate_limits set expire = expire - $1 where key like 'password_pace%'", [
      ms,
    ])

  test('each wrong try from the third on costs twice the wait of the one before', async () => {
    const email = newEmail()
    for (let tries = 0; tries < 3; tries++) expect((await attempt(email, WRONG, paced)).status).toBe(422)
    for (const seconds of [1, 2, 4, 8]) {
      const early = await attempt(email, WRONG, paced)
      expect(early.status).toBe(429)
      expect(Number(early.headers.get('retry-after'))).toBeLessThanOrEqual(seconds)
      expect(Number(early.headers.get('retry-after'))).toBeGreaterThan(seconds / 4)
      await over(seconds * 1000)
      expect((await attempt(email, WRONG, paced)).status).toBe(422)
    }
  })
})

test('T016: of a hundred first tries at once three are looked at', async () => {
  const slow = await startServer({
    settings: TRUST_LOOPBACK,
    policy: (policy) => ({
      ...policy,
      // However long a hundred take here.
      limits: { ...policy.limits, password_pace: { from: 3, first: 60_000, most: 60_000 } },
    }),
  })
  try {
    const email = newEmail()
    const tries = await Promise.all(Array.from({ length: 100 }, () => attempt(email, WRONG, slow)))
    expect(tries.filter(({ status }) => status === 422)).toHaveLength(3)
    // Some of such a crowd are turned away before anybody looks at what they brought.
    expect(tries.filter(({ status }) => status === 429 || status === 503)).toHaveLength(97)
  } finally {
    await slow.close()
  }
})

describe('T020: one password tried on many accounts', () => {
  test('stops at a network’s allowance, with a word on how long to wait', async () => {
    const headers = anotherNetwork()
    const statuses: number[] = []
    let last: Page | undefined
    for (let accounts = 0; accounts < 32; accounts++) {
      const browser = createBrowser({ headers })
      const { page } = await open(server, browser)
      last = await browser.submit(page, '/method/password', { email: newEmail(), password: WRONG })
      statuses.push(last.status)
    }
    expect(statuses).toEqual([...Array(30).fill(422), 429, 429])
    expect(Number(last!.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  test('from many networks leaves one trace of the anomaly', async () => {
    const tight = await startServer({
      settings: TRUST_LOOPBACK,
      policy: (policy) => ({
        ...policy,
        limits: { ...policy.limits, password_failures: [{ points: 20, per: 300_000, block: 0 }] },
      }),
    })
    try {
      for (let accounts = 0; accounts < 50; accounts++) await attempt(newEmail(), WRONG, tight)
      await vi.waitFor(
        async () => expect(await auditTrail(tight, 'sign_in.anomaly_detected')).toHaveLength(1),
        { timeout: 10_000 },
      )
    } finally {
      await tight.close()
    }
  })
})

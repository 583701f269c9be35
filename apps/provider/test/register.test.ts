import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { anotherNetwork, createBrowser, csrfIn, type Page, TRUST_LOOPBACK } from './support/browser.ts'
import {
  auditTrail,
  authorizationRequest,
  begin,
  codeOf,
  isSignedIn,
  newEmail,
  PASSWORD,
  redeem,
  register,
  signIn,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'
import { startTwins, type Twins } from './support/twins.ts'

let twins: Twins
let server: TestServer
/** Another instance on the same database, as far as the database allows several. */
let sibling: TestServer
beforeAll(async () => {
  twins = await startTwins()
  ;({ server, sibling } = twins)
})
afterAll(() => twins.close())

async function open(at = server, headers = anotherNetwork()) {
  const browser = createBrowser({ headers })
  const request = authorizationRequest(at, at.clients.own, { prompt: 'create' })
  return { browser, request, page: await begin(browser, request) }
}

type Person = Partial<{ email: string; name: string; password: string }>
async function attempt(person: Person, at = server, headers = anotherNetwork()): Promise<Page> {
  const { browser, page } = await open(at, headers)
  return browser.submit(page, '/register', { email: newEmail(), name: 'Ada', password: PASSWORD, ...person })
}

const users = (email?: string) =>
  server.database.prisma.user.findMany({ where: email ? { emailCanonical: email.toLowerCase() } : {} })

describe('a new person', () => {
  test('is signed in and back at the app, with one account, one credential and one trace', async () => {
    const { browser, request, page } = await open()
    const email = newEmail()
    const done = await register(browser, page, { email, name: ' Ada Lovelace ' })
    const { body } = await redeem(server, server.clients.own, { request, code: codeOf(done) })
    expect(body.id_token).toBeTypeOf('string')
    const [user] = await users(email)
    expect(user).toMatchObject({ email, name: 'Ada Lovelace', emailVerifiedAt: null, disabledAt: null })
    expect(await server.database.prisma.credential.count({ where: { userId: user!.id } })).toBe(1)
    const trail = (await auditTrail(server)).filter(({ user_id }) => user_id === user!.id)
    expect(trail.map(({ type }) => type)).toEqual(['user.registered', 'sign_in.succeeded'])
    expect(JSON.stringify(trail)).not.toContain(PASSWORD)
  })

  test('need not say their name', async () => {
    const email = newEmail()
    expect((await attempt({ email, name: '   ' })).status).toBe(200)
    expect((await users(email))[0]?.name).toBeNull()
  })

  test('may have any name of at most a hundred characters, in any script', async () => {
    for (const name of [
      '李小龍',
      "Niamh O'Néill-Ødegård",
      'مريم',
      '🦔',
      'x'.repeat(100),
      'Robert"); drop table users; --',
    ]) {
      const email = newEmail()
      expect((await attempt({ email, name })).status).toBe(200)
      expect((await users(email))[0]?.name).toBe(name)
    }
  })

  test('T121: cannot say more about themselves than they are asked', async () => {
    const email = newEmail()
    const extra = {
      emailVerified: 'true',
      email_verified: 'true',
      emailVerifiedAt: '2020-01-01',
      role: 'admin',
      isAdmin: 'true',
      id: 'usr_1',
      sub: 'usr_1',
      disabledAt: '',
      createdAt: '2000-01-01',
    }
    const { browser, page } = await open()
    expect(
      (await browser.submit(page, '/register', { email, name: 'Ada', password: PASSWORD, ...extra })).status,
    ).toBe(200)
    const [user] = await users(email)
    expect(user).toMatchObject({ emailVerifiedAt: null, id: expect.stringMatching(/^usr_[0-9a-f]{32}$/) })
    expect(user!.createdAt.getFullYear()).toBeGreaterThan(2000)
  })
})

describe('what is refused is refused with 422, the words typed are kept, the password is not, and nothing is stored:', () => {
  test.each<[string, Person, string]>([
    ['no address', { email: '' }, 'email'],
    ['what is no address', { email: 'nobody' }, 'email'],
    ['T010: a password that is too short', { password: 'vT9#qL2!x' }, 'password'],
    ['T010: a password everybody uses', { password: 'password123' }, 'password'],
    [
      'T010: the address as the password',
      { email: 'umbrella.orange@example.test', password: 'umbrella.orange@example.test' },
      'password',
    ],
    ['T012: a password of 129 characters', { password: `${PASSWORD} `.repeat(5).slice(0, 129) }, 'password'],
    ['no password', { password: '' }, 'password'],
    ['a name of 101 characters', { name: 'x'.repeat(101) }, 'name'],
    ['a control character in the name', { name: 'Ada\u0007' }, 'name'],
    ['a line break in the name', { name: 'Ada\r\nBcc: x@example.test' }, 'name'],
    ['an escape that would colour a terminal', { name: '\u001b[31mAda' }, 'name'],
  ])('%s', async (_, person, field) => {
    const before = await users()
    const page = await attempt(person)
    expect(page.status).toBe(422)
    expect(page.text).toContain(`id="${field}-error"`)
    expect(page.text).toContain('id="error-summary"')
    if (person.email) expect(page.text).toContain(`value="${person.email}"`)
    if (person.password && person.password !== person.email) expect(page.text).not.toContain(person.password)
    expect(await users()).toEqual(before)
  })

  test('all mistakes are told at once', async () => {
    const page = await attempt({ email: 'nobody', name: 'x'.repeat(101), password: 'short' })
    for (const field of ['email', 'name', 'password']) expect(page.text).toContain(`id="${field}-error"`)
  })
})

describe('T001: an address that is taken', () => {
  test('makes no second account, changes nothing of the first and signs nobody in', async () => {
    const { email } = await signUpAndIn(server, server.clients.own)
    const before = await users(email)
    const { browser, page } = await open()
    const answer = await browser.submit(page, '/register', {
      email,
      name: 'Mallory',
      password: 'nine purple kettles by dawn',
    })
    expect(answer.status).toBe(422)
    expect(await users(email)).toEqual(before)
    expect(await isSignedIn(browser, server)).toBe(false)
    const again = await createBrowserAt()
    expect((await signIn(again.browser, again.page, { email })).next).toContain('code=')
  })

  test('does not say whose it is, since when, or in what state', async () => {
    const [live, disabled] = [
      await signUpAndIn(server, server.clients.own),
      await signUpAndIn(server, server.clients.own),
    ]
    await server.database.prisma.user.updateMany({
      where: { email: disabled.email },
      data: { disabledAt: new Date() },
    })
    const said = async (email: string) => {
      const { status, text } = await attempt({ email, name: 'Mallory' })
      const words = text
        .replaceAll(email, 'EMAIL')
        .replace(/\/interaction\/[\w-]+/g, '')
        .replace(/value="[\w-]{43}"/g, '')
      return { status, words }
    }
    expect(await said(live.email)).toEqual(await said(disabled.email))
    expect((await attempt({ email: live.email })).text).not.toContain('Ada Lovelace')
  })

  test('T007: is taken however it is written', async () => {
    const { email } = await signUpAndIn(server, server.clients.own)
    for (const way of [email.toUpperCase(), ` ${email}\t`, `${email}.`])
      expect((await attempt({ email: way })).status).toBe(422)
    expect(await users(email)).toHaveLength(1)
  })

  test('T014: of twenty who want it in one moment, at two instances, one gets it', async () => {
    const email = newEmail()
    const visitors = await Promise.all(
      Array.from({ length: 20 }, (_, index) => open(index % 2 ? server : sibling)),
    )
    const answers = await Promise.all(
      visitors.map(({ browser, page }, index) =>
        browser.submit(page, '/register', {
          email: index % 3 ? email : email.toUpperCase(),
          name: `Visitor ${index}`,
          password: PASSWORD,
        }),
      ),
    )
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([200, ...Array<number>(19).fill(422)])
    expect(await users(email)).toHaveLength(1)
    expect(
      await server.database.prisma.credential.count({ where: { user: { emailCanonical: email } } }),
    ).toBe(1)
    const registered = (await auditTrail(server, 'user.registered')).filter(({ user_id }) => user_id !== null)
    expect(new Set(registered.map(({ user_id }) => user_id)).size).toBe(registered.length)
  })
})

async function createBrowserAt() {
  const browser = createBrowser({ headers: anotherNetwork() })
  return { browser, page: await begin(browser, authorizationRequest(server, server.clients.own)) }
}

describe('an operator', () => {
  let strict: TestServer
  beforeAll(async () => {
    strict = await startServer({
      settings: TRUST_LOOPBACK,
      policy: (policy) => ({
        ...policy,
        password: { min_length: 15, min_strength: 0 },
        limits: { ...policy.limits, registration_per_ip: [{ points: 3, per: 60_000, block: 0 }] },
      }),
    })
  })
  afterAll(() => strict.close())

  test('T145: may say how many accounts one network makes; who only mistypes makes none', async () => {
    const headers = anotherNetwork()
    for (let tries = 0; tries < 5; tries++)
      expect((await attempt({ password: 'short' }, strict, headers)).status).toBe(422)
    for (let accounts = 0; accounts < 3; accounts++)
      expect((await attempt({}, strict, headers)).status).toBe(200)
    const refused = await attempt({}, strict, headers)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await attempt({}, strict)).status).toBe(200)
  })

  test('T010: may ask for longer passwords', async () => {
    expect((await attempt({ password: 'vT9#qL2!xw&4k1' }, strict)).status).toBe(422)
    expect((await attempt({ password: 'vT9#qL2!xw&4k1p' }, strict)).status).toBe(200)
  })

  test('may close the door: no page, no link, no account', async () => {
    const closed = await startServer({
      policy: (policy) => ({ ...policy, registration: { ...policy.registration, open: false } }),
    })
    onTestFinished(() => closed.close())
    const browser = createBrowser()
    const page = await begin(browser, authorizationRequest(closed, closed.clients.own))
    expect(page.text).not.toContain('/register')
    expect((await browser.get(`${page.url}/register`)).status).toBe(403)
    const csrf = csrfIn(page)
    const answer = await browser.send(`${page.url}/register`, {
      form: { csrf, email: newEmail(), password: PASSWORD },
    })
    expect(answer.status).toBe(403)
    expect(
      (await begin(createBrowser(), authorizationRequest(closed, closed.clients.own, { prompt: 'create' })))
        .status,
    ).toBe(403)
    expect(await closed.database.prisma.user.count()).toBe(0)
  })
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, createBrowser, csrfIn, type Page } from './support/browser.ts'
import {
  age,
  authorizationRequest,
  begin,
  codeOf,
  isSignedIn,
  newEmail,
  PASSWORD,
  redeem,
  refresh,
  register,
  signIn,
  signUpAndIn,
} from './support/relying-party.ts'
import { APP, startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const SESSION = 'anteroom_session|/'
const USERINFO = { resource: undefined, scope: 'openid email offline_access' }

const open = async (browser = createBrowser(), change: Record<string, string | undefined> = {}) => ({
  browser,
  page: await begin(browser, authorizationRequest(server, server.clients.own, change)),
})
const newPerson = async () => (await signUpAndIn(server, server.clients.own)).email
const cookieOf = (browser: Browser) => browser.jar.get(SESSION)?.value

/** A browser that has nothing but this session. */
function holding(browser: Browser): Browser {
  const thief = createBrowser()
  for (const key of [SESSION, SESSION.replace('|', '.sig|')]) thief.jar.set(key, { ...browser.jar.get(key)! })
  return thief
}

/** A journey that is over: calm words, and a way back to the app it began in. */
function expectWayBack(page: Page, href = APP) {
  expect(page.status).toBe(400)
  expect(page.headers.get('content-type')).toContain('text/html')
  expect(page.text).toContain(`href="${href}"`)
  expect(page.next).toBeNull()
}

describe('T023: a session', () => {
  test('planted in a browser before its owner signs in is worth nothing to who planted it', async () => {
    const attacker = createBrowser()
    await attacker.get(`${server.issuer}/session/end`)
    const planted = cookieOf(attacker)
    expect(planted).toBeDefined()

    const victim = createBrowser()
    attacker.copyJarTo(victim)
    await begin(victim, authorizationRequest(server, server.clients.own))
    const { page } = await open(victim)
    codeOf(await signIn(victim, page, { email: await newPerson() }))
    expect(cookieOf(victim)).not.toBe(planted)
    expect(await isSignedIn(victim, server)).toBe(true)
    expect(await isSignedIn(attacker, server)).toBe(false)
  })

  test('of somebody else planted before ends when its new owner signs in', async () => {
    const { browser: attacker } = await signUpAndIn(server, server.clients.own)
    const email = await newPerson()
    const victim = holding(attacker)
    const { page } = await open(victim, { prompt: 'login' })
    const switching = await signIn(victim, page, { email })
    codeOf(await victim.follow(await victim.submit(switching, '/session/end/confirm')))
    expect(await isSignedIn(victim, server)).toBe(true)
    expect(await isSignedIn(attacker, server)).toBe(false)
  })

  test('gets a new id when its owner proves again who they are, and the old one is dead', async () => {
    const { browser, email } = await signUpAndIn(server, server.clients.own)
    const thief = holding(browser)
    const { page } = await open(browser, { prompt: 'login' })
    codeOf(await signIn(browser, page, { email }))
    expect(cookieOf(browser)).not.toBe(cookieOf(thief))
    expect(await isSignedIn(thief, server)).toBe(false)
  })
})

describe('T023: two people, one browser', () => {
  const third = () => server.clients.third

  async function switchTo(browser: Browser, email: string, change: Record<string, string | undefined> = {}) {
    const request = authorizationRequest(server, third(), { prompt: 'login', ...USERINFO, ...change })
    const switching = await signIn(browser, await begin(browser, request), { email })
    return { request, page: await browser.follow(await browser.submit(switching, '/session/end/confirm')) }
  }

  test('the second gets tokens of their own, and the first one’s never become theirs', async () => {
    const first = await signUpAndIn(server, third(), { ...USERINFO, prompt: 'consent' })
    const email = await newPerson()
    const { request, page } = await switchTo(first.browser, email)
    const consent = await first.browser.follow(await first.browser.submit(page, '/consent'))
    const { body } = await redeem(server, third(), { request, code: codeOf(consent) })
    const [a, v] = [decodeJwt(first.tokens.id_token).sub, decodeJwt(body.id_token).sub]
    expect(v).not.toBe(a)
    expect(decodeJwt(body.id_token)['email']).toBe(email)
    const kept = await refresh(server, third(), first.tokens.refresh_token)
    expect(decodeJwt(kept.body.id_token).sub).toBe(a)
  })

  test('the second is asked for their own consent: what the first allowed is not theirs', async () => {
    const { browser } = await signUpAndIn(server, third(), USERINFO)
    const { page } = await switchTo(browser, await newPerson())
    expect(page.url).toContain('/interaction/')
    expect(page.text).toContain('Allow')
  })

  test('the page between them leads on without JavaScript too', async () => {
    const { browser } = await signUpAndIn(server, server.clients.own)
    const { page } = await open(browser, { prompt: 'login' })
    const switching = await signIn(browser, page, { email: await newPerson() })
    expect(switching.text).toMatch(/<noscript>[\s\S]*<button[\s\S]*<\/noscript>/)
    const policy = switching.headers.get('content-security-policy')!
    expect(policy).toMatch(/script-src 'self' 'sha256-/)
    expect(policy).not.toContain('unsafe-inline')
  })

  test('creating an account while signed in makes the new person the one who is signed in', async () => {
    const { browser } = await signUpAndIn(server, server.clients.own)
    const email = newEmail()
    const switching = await register(browser, (await open(browser, { prompt: 'create' })).page, { email })
    codeOf(await browser.follow(await browser.submit(switching, '/session/end/confirm')))
    expect((await browser.get(`${server.issuer}/account`)).text).toContain(email)
  })
})

describe('T097: a journey that is over', () => {
  async function finished() {
    const email = await newPerson()
    const { browser, page } = await open()
    const done = await signIn(browser, page, { email })
    return { browser, page, email, code: codeOf(done) }
  }

  test('opened again with the Back button offers the way back to the app', async () => {
    const { browser, page } = await finished()
    expectWayBack(await browser.get(page.url))
  })

  test('posted again makes no second code', async () => {
    const { browser, page, email } = await finished()
    expectWayBack(await browser.submit(page, '/method/password', { email, password: PASSWORD }))
  })

  test('whose last page is loaded again makes no second code', async () => {
    const email = await newPerson()
    const { browser, page } = await open()
    const onward = await browser.submit(page, '/method/password', { email, password: PASSWORD })
    codeOf(await browser.follow(onward))
    const again = await browser.get(onward.next!)
    expect([again.status, again.next]).toEqual([400, null])
    expect(again.headers.get('content-type')).toContain('text/html')
  })

  test('because it took too long offers the way back to the app', async () => {
    const { browser, page } = await open()
    await age(server, 16 * 60, 'Interaction')
    expectWayBack(await browser.get(page.url))
    expectWayBack(await browser.submit(page, '/method/password', { email: newEmail(), password: PASSWORD }))
  })

  test('belongs to the browser it began in: in another it leads to the front page and signs nobody in', async () => {
    const email = await newPerson()
    const { browser, page } = await open()
    const other = createBrowser()
    expectWayBack(await other.get(page.url), '/')
    expectWayBack(await other.submit(page, '/method/password', { email, password: PASSWORD }), '/')
    await open(other)
    expectWayBack(await other.submit(page, '/method/password', { email, password: PASSWORD }))
    expect(await isSignedIn(other, server)).toBe(false)
    expect((await browser.get(page.url)).status).toBe(200)
  })

  test('that never was does not exist', async () => {
    for (const uid of ['x', 'undefined', '%00', '..%2f..', 'a'.repeat(5000)]) {
      const page = await createBrowser().get(`${server.issuer}/interaction/${uid}`)
      expect([400, 404], uid).toContain(page.status)
    }
  })
})

describe('a double click', () => {
  test('on Sign in is one sign-in', async () => {
    const email = await newPerson()
    const { browser, page } = await open()
    const clicks = await Promise.all(
      [1, 2].map(() => browser.submit(page, '/method/password', { email, password: PASSWORD })),
    )
    expect(clicks.map(({ status }) => status)).toEqual([200, 200])
    expect(new Set(clicks.map(({ next }) => next)).size).toBe(1)
    codeOf(await browser.follow(clicks[0]!))
  })

  test('twenty times at once, whatever the step, is never an error of ours', async () => {
    const { browser, page } = await open(createBrowser(), { prompt: 'create' })
    const person = { email: newEmail(), name: 'Ada', password: PASSWORD }
    const clicks = (send: () => Promise<Page>) => Promise.all(Array.from({ length: 20 }, send))
    const created = await clicks(() => browser.submit(page, '/register', person))
    expect(created.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(created.filter(({ status }) => status === 422)).toHaveLength(19)

    const email = person.email
    const { browser: other, page: door } = await open()
    const signedIn = await clicks(() => other.submit(door, '/method/password', { email, password: PASSWORD }))
    const resumed = await clicks(() => other.get(signedIn.find(({ status }) => status === 200)!.next!))
    for (const { status } of [...signedIn, ...resumed]) expect(status).toBeLessThan(500)
    expect(resumed.some(({ next }) => next?.includes('code='))).toBe(true)
    expect(await isSignedIn(other, server)).toBe(true)
  })
})

describe('steps out of order', () => {
  const press = (browser: Browser, page: Page, step: string, form = {}) => {
    const csrf = csrfIn(page)
    return browser.send(`${page.url.replace(/\/(sign-in|register)$/, '')}${step}`, {
      form: { csrf, ...form },
    })
  }

  test('nobody consents before signing in', async () => {
    const browser = createBrowser()
    const request = authorizationRequest(server, server.clients.third)
    const page = await begin(browser, request)
    expect((await press(browser, page, '/consent')).status).toBe(400)
    const consent = await signIn(browser, page, { email: await newPerson() })
    expect(consent.text).toContain('Allow')
  })

  test('at the question of consent nobody signs in or up as somebody else', async () => {
    const browser = createBrowser()
    const email = newEmail()
    const consent = await register(
      browser,
      await begin(browser, authorizationRequest(server, server.clients.third)),
      { email },
    )
    const other = await newPerson()
    expect(
      (await press(browser, consent, '/method/password', { email: other, password: PASSWORD })).status,
    ).toBe(400)
    expect(
      (await press(browser, consent, '/register', { email: newEmail(), password: PASSWORD })).status,
    ).toBe(400)
    expect((await browser.get(`${server.issuer}/account`)).text).toContain(email)
    codeOf(await browser.follow(await browser.submit(consent, '/consent')))
  })

  test('a way in that does not exist leads nowhere', async () => {
    const { browser, page } = await open()
    for (const id of ['totp', '__proto__', 'constructor', 'password%00', '..']) {
      const { status } = await press(browser, page, `/method/${id}`, {
        email: 'a@example.test',
        password: PASSWORD,
      })
      expect([400, 404], id).toContain(status)
    }
    expect((await browser.get(page.url)).status).toBe(200)
  })

  test('whoever changes their mind tells the app so, at any step', async () => {
    const { browser, page } = await open()
    const cancelled = await browser.follow(await browser.submit(page, '/cancel'))
    expect(new URL(cancelled.next!).searchParams.get('error')).toBe('access_denied')
    expect(await isSignedIn(browser, server)).toBe(false)

    const other = createBrowser()
    const consent = await register(
      other,
      await begin(other, authorizationRequest(server, server.clients.third)),
    )
    const refused = await other.follow(await other.submit(consent, '/cancel'))
    expect(new URL(refused.next!).searchParams.get('error')).toBe('access_denied')
    expect(await isSignedIn(other, server)).toBe(true)
  })

  test('a session whose account is gone meanwhile is no session: the person is asked to sign in', async () => {
    const { browser, email } = await signUpAndIn(server, server.clients.own)
    await server.database.prisma.user.updateMany({ where: { email }, data: { disabledAt: new Date() } })
    expect(await isSignedIn(browser, server)).toBe(false)
    const { page } = await open(browser)
    expect(page.url).toContain('/interaction/')
    expect(page.text).toContain('/method/password')
  })
})

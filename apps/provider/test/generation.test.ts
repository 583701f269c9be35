// A changed credential ends the rest: other sessions, what apps hold, what was proved and not yet used. At once, everywhere.
import { randomBytes } from 'node:crypto'
import type Router from '@koa/router'
import type { Context } from 'koa'
import type { Provider } from 'oidc-provider'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { keepSignedIn } from '../src/account/keep-signed-in.routes.ts'
import { createUnitOfWork, type Scope } from '../src/db/unit-of-work.ts'
import { createUserStore, type UserStore } from '../src/users/store.ts'
import { meet, table } from './races/support/barrier.ts'
import { type Browser, createBrowser, type Page } from './support/browser.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { freePort } from './support/port.ts'
import {
  authorizationRequest,
  bearer,
  begin,
  codeOf,
  introspect,
  isSignedIn,
  OPAQUE,
  PASSWORD,
  redeem,
  refresh,
  signIn,
  signUpAndIn,
} from './support/relying-party.ts'
import { CLIENTS, startServer, type TestServer } from './support/server.ts'
import { type Spread, startSpread } from './support/spread.ts'

type Dependencies = { provider: Provider; users: UserStore; scope: Scope; config: { ISSUER: string } }

/** What the account pages do when a person changes a credential, without the page. */
function addChange(router: Router, { provider, users, scope, config }: Dependencies) {
  router.post('/change', async (ctx: Context) => {
    const session = await provider.Session.get(ctx)
    if (!session.accountId) ctx.throw(401)
    await scope.transaction(async () => {
      await users.advanceGeneration(session.accountId!)
      await keepSignedIn(ctx, config.ISSUER, session)
    })
    ctx.body = { changed: true }
  })
}

vi.mock('../src/account/routes.ts', async (original) => {
  const { accountRoutes } = await original<typeof import('../src/account/routes.ts')>()
  return {
    accountRoutes(deps: Parameters<typeof accountRoutes>[0] & Dependencies) {
      const router = accountRoutes(deps)
      addChange(router, deps)
      return router
    },
  }
})

const { own, third } = CLIENTS
const SESSION = 'anteroom_session'

let place: TestDatabase
let instances: TestServer[]
let spread: Spread
/** Each request goes to another instance than the one before. */
let server: TestServer
beforeAll(async () => {
  place = await createTestDatabase()
  const database = await place.open()
  const port = await freePort()
  const settings = { ISSUER: `http://localhost:${port}` }
  const secretKey = randomBytes(32)
  const databases = [database, place.url ? await place.open() : database]
  instances = []
  for (const each of databases) instances.push(await startServer({ settings, secretKey, database: each }))
  spread = await startSpread(
    port,
    instances.map(({ address }) => Number(new URL(address).port)),
  )
  server = instances[0]!
})
afterAll(async () => {
  await spread?.close()
  for (const each of instances) await each.close()
  await place.drop()
})

const userId = async (email: string) =>
  (await server.database.prisma.user.findUniqueOrThrow({ where: { emailCanonical: email } })).id

/** A change made elsewhere, in a request of its own. */
async function change(email: string, { database }: TestServer = instances[1]!) {
  const work = createUnitOfWork(database)
  const users = createUserStore(work, () => new Date())
  const id = await userId(email)
  await work.transaction(() => users.advanceGeneration(id))
}

const changeHere = (browser: Browser) => browser.send(`${server.issuer}/change`, { method: 'POST' })
const sessionOf = ({ jar }: Browser) => jar.get(`${SESSION}|/`)?.value

async function signInAnew(email: string, client = own) {
  const browser = createBrowser()
  const request = authorizationRequest(server, client, OPAQUE)
  const page = await signIn(browser, await begin(browser, request), { email })
  return { browser, request, page }
}

/** A session with that id, whatever became of its cookie. */
async function isSessionAlive(id: string, from: Browser) {
  const thief = createBrowser()
  from.copyJarTo(thief)
  const key = `${SESSION}|/`
  thief.jar.set(key, { ...thief.jar.get(key)!, value: id })
  return isSignedIn(thief, server)
}

const asksToSignIn = (page: Page) => page.text.includes('name="password"')

/** Sessions in the table that would sign this person in. */
async function liveSessions(email: string): Promise<number> {
  const { rows } = await server.database.pool.query(
    `select count(*)::int as count from artifacts a join users u on u.id = a.user_id
      where a.kind = 'Session' and u.email_canonical = $1 and coalesce(a.generation, 0) >= u.generation`,
    [email],
  )
  return rows[0].count
}

describe('when a person changes a credential', () => {
  test.each([0, 1])(
    'their other session and all that apps hold end, whichever instance is asked first: %i',
    async (first) => {
      const { browser, email, tokens } = await signUpAndIn(server, third, OPAQUE)
      expect(await bearer(server, tokens.access_token)).toBe(200)
      await change(email)

      spread.beginWith(first)
      expect(await isSignedIn(browser, server)).toBe(false)
      expect(await bearer(server, tokens.access_token)).toBe(401)
      expect(await bearer(server, tokens.access_token)).toBe(401)
      expect(await introspect(server, third, tokens.access_token)).toEqual({ active: false })
      expect(await introspect(server, third, tokens.refresh_token)).toEqual({ active: false })
      expect((await refresh(server, third, tokens.refresh_token)).body.error).toBe('invalid_grant')
      expect(asksToSignIn(await begin(browser, authorizationRequest(server, own)))).toBe(true)
    },
  )

  test('tokens for an API end where they are refreshed, and no app is let in silently', async () => {
    const { browser, email, tokens } = await signUpAndIn(server, own)
    await change(email)
    expect((await refresh(server, own, tokens.refresh_token)).body.error).toBe('invalid_grant')
    const silent = await browser.get(authorizationRequest(server, own, { prompt: 'none' }).url)
    expect(silent.next).toContain('error=login_required')
  })

  test('a code that is not redeemed yet is worth nothing', async () => {
    const { email } = await signUpAndIn(server, own)
    const { request, page } = await signInAnew(email)
    await change(email)
    const answer = await redeem(server, own, { request, code: codeOf(page) })
    expect(answer.body.error).toBe('invalid_grant')
  })

  test('what they proved and did not use yet is asked of them again, and is good then', async () => {
    const { email } = await signUpAndIn(server, own)
    const browser = createBrowser()
    const request = authorizationRequest(server, own, OPAQUE)
    const form = await begin(browser, request)
    const onward = await browser.submit(form, '/method/password', { email, password: PASSWORD })
    await change(email)

    const again = await browser.follow(onward)
    expect(asksToSignIn(again)).toBe(true)
    expect(await isSignedIn(browser, server)).toBe(false)
    expect(await liveSessions(email)).toBe(0)

    const answer = await redeem(server, own, {
      request,
      code: codeOf(await signIn(browser, again, { email })),
    })
    expect(await bearer(server, answer.body.access_token)).toBe(200)
    expect(await isSignedIn(browser, server)).toBe(true)
  })

  test('so it is where the app had asked for a new sign-in', async () => {
    const { email } = await signUpAndIn(server, own)
    const browser = createBrowser()
    const form = await begin(browser, authorizationRequest(server, own, { prompt: 'login' }))
    const onward = await browser.submit(form, '/method/password', { email, password: PASSWORD })
    await change(email)
    expect(asksToSignIn(await browser.follow(onward))).toBe(true)
    expect(await liveSessions(email)).toBe(0)
  })

  test('a question that waits for their answer is withdrawn', async () => {
    const { email } = await signUpAndIn(server, own)
    const { browser, page } = await signInAnew(email, third)
    expect(page.text).toContain('Allow')
    await change(email)
    expect((await browser.submit(page, '/consent')).status).toBe(400)
    expect(await server.database.prisma.consent.count({ where: { userId: await userId(email) } })).toBe(0)
  })

  test('they may sign in again in the same second', async () => {
    const { email } = await signUpAndIn(server, own)
    await change(email)
    const { browser, request, page } = await signInAnew(email)
    const { body: tokens } = await redeem(server, own, { request, code: codeOf(page) })
    expect(await bearer(server, tokens.access_token)).toBe(200)
    expect(await introspect(server, own, tokens.access_token)).toMatchObject({ active: true })
    expect((await refresh(server, own, tokens.refresh_token)).status).toBe(200)
    expect(await isSignedIn(browser, server)).toBe(true)
  })
})

describe('the browser in which they change it', () => {
  test('stays signed in with a new id; the old one is dead, and so are all others', async () => {
    const { browser, email, tokens } = await signUpAndIn(server, own, OPAQUE)
    const elsewhere = await signInAnew(email)
    const before = sessionOf(browser)!

    expect((await changeHere(browser)).status).toBe(200)
    const after = sessionOf(browser)!
    expect(after).not.toBe(before)
    for (const _ of instances) expect(await isSignedIn(browser, server)).toBe(true)
    expect(await isSessionAlive(before, browser)).toBe(false)
    expect(await isSignedIn(elsewhere.browser, server)).toBe(false)
    expect(await bearer(server, tokens.access_token)).toBe(401)
    expect((await refresh(server, own, tokens.refresh_token)).body.error).toBe('invalid_grant')
  })

  test('gets a cookie like the one that the engine sets', async () => {
    const { browser } = await signUpAndIn(server, own)
    const attributes = (page: Page) =>
      page.headers
        .getSetCookie()
        .filter((line) => line.startsWith(SESSION))
        .map((line) => line.replace(/=[^;]+/, '').toLowerCase())
        .sort()
    const engine = attributes(await browser.get(authorizationRequest(server, own).url))
    expect(engine).toHaveLength(2)
    expect(attributes(await changeHere(browser))).toEqual(engine)
  })

  test('lets apps in again without a question, and they get what lives', async () => {
    const { browser } = await signUpAndIn(server, own, OPAQUE)
    await changeHere(browser)
    const request = authorizationRequest(server, own, { ...OPAQUE, prompt: 'none' })
    const answer = await redeem(server, own, { request, code: codeOf(await browser.get(request.url)) })
    expect(await bearer(server, answer.body.access_token)).toBe(200)
  })

  test('finds its other half-finished journeys over: a thief of the old session may have begun them', async () => {
    const { email } = await signUpAndIn(server, own)
    const { browser, page } = await signInAnew(email, third)
    const thief = createBrowser()
    browser.copyJarTo(thief)
    await changeHere(browser)
    expect((await thief.submit(page, '/consent')).status).toBe(400)
    expect(await server.database.prisma.consent.count({ where: { userId: await userId(email) } })).toBe(0)
  })

  test('is signed out like all others by a change that is made elsewhere afterwards', async () => {
    const { browser, email } = await signUpAndIn(server, own)
    await changeHere(browser)
    await change(email)
    expect(await isSignedIn(browser, server)).toBe(false)
    expect((await changeHere(browser)).status).toBe(401)
  })
})

describe('a request that had begun before the change and ends after it', () => {
  /** What `start` begins has read all it needs and waits to write until the change is there. */
  const whileItWaits = async <T>(email: string, start: () => Promise<T>): Promise<T> => {
    const [answer] = await meet(
      server.database.pool,
      { at: table, waiting: 1, meanwhile: () => change(email) },
      () => [start()],
    )
    return answer as T
  }
  /** The next request that looks for artefacts goes on when `meanwhile` has happened; how often they were looked for since. */
  function afterFirstLook(meanwhile: () => Promise<void>): () => number {
    let looks = 0
    for (const { pool } of new Set(instances.map(({ database }) => database))) {
      const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>
      vi.spyOn(pool, 'query').mockImplementation((async (...args: unknown[]) => {
        const answer = await query(...args)
        const isLook = (args[0] as { name?: string }).name === 'artifacts.find'
        if (isLook && looks++ === 0) await meanwhile()
        return answer
      }) as never)
    }
    return () => looks
  }
  afterEach(() => {
    vi.restoreAllMocks()
  })

  /** The other order: the change is made and not yet there; what is begun and ends now knows nothing of it. */
  const beforeItIsThere = async <T>(email: string, start: () => Promise<T>): Promise<T> => {
    const holder = await server.database.pool.connect()
    try {
      await holder.query('begin')
      await holder.query('update users set generation = generation + 1 where email_canonical = $1', [email])
      const answer = await start()
      await holder.query('commit')
      return answer
    } finally {
      holder.release()
    }
  }
  const orders = { 'waits to write': whileItWaits, 'ends before the change is there': beforeItIsThere }

  describe.each(Object.entries(orders))('(it %s)', (_, during) => {
    test('saves no session that lives, and gives a code worth nothing', async (context) => {
      context.skip(!place.url, 'the embedded database has one connection')
      const { browser, email } = await signUpAndIn(server, own)
      const request = authorizationRequest(server, own, OPAQUE)
      const page = await during(email, () => browser.get(request.url))
      expect((await redeem(server, own, { request, code: codeOf(page) })).body.error).toBe('invalid_grant')
      expect(await isSignedIn(browser, server)).toBe(false)
      expect(await liveSessions(email)).toBe(0)
    })

    test('refreshes once more, for tokens that are dead', async (context) => {
      context.skip(!place.url, 'the embedded database has one connection')
      const { email, tokens } = await signUpAndIn(server, third, OPAQUE)
      const { body } = await during(email, () => refresh(server, third, tokens.refresh_token))
      expect(await bearer(server, body.access_token)).toBe(401)
      expect((await refresh(server, third, body.refresh_token)).body.error).toBe('invalid_grant')
    })

    test('redeems a code for tokens that are dead', async (context) => {
      context.skip(!place.url, 'the embedded database has one connection')
      const { email } = await signUpAndIn(server, own)
      const { request, page } = await signInAnew(email)
      const { body } = await during(email, () => redeem(server, own, { request, code: codeOf(page) }))
      expect(await bearer(server, body.access_token)).toBe(401)
      expect((await refresh(server, own, body.refresh_token)).body.error).toBe('invalid_grant')
    })

    test('proves a password that is asked for again', async (context) => {
      context.skip(!place.url, 'the embedded database has one connection')
      const { email } = await signUpAndIn(server, own)
      const browser = createBrowser()
      const form = await begin(browser, authorizationRequest(server, own))
      const onward = await during(email, () =>
        browser.submit(form, '/method/password', { email, password: PASSWORD }),
      )
      expect(asksToSignIn(await browser.follow(onward))).toBe(true)
      expect(await liveSessions(email)).toBe(0)
    })

    test('signs in to a session that is dead', async (context) => {
      context.skip(!place.url, 'the embedded database has one connection')
      const { email } = await signUpAndIn(server, own)
      const browser = createBrowser()
      const request = authorizationRequest(server, own)
      const form = await begin(browser, request)
      const onward = await browser.submit(form, '/method/password', { email, password: PASSWORD })
      const page = await during(email, () => browser.get(onward.next!))
      expect((await redeem(server, own, { request, code: codeOf(page) })).body.error).toBe('invalid_grant')
      expect(await isSignedIn(browser, server)).toBe(false)
      expect(await liveSessions(email)).toBe(0)
    })

    test('agrees to something that is asked again', async (context) => {
      context.skip(!place.url, 'the embedded database has one connection')
      const { email } = await signUpAndIn(server, own)
      const { browser, request, page } = await signInAnew(email, third)
      const onward = await during(email, () => browser.submit(page, '/consent'))
      const end = await browser.follow(onward)
      expect(end.next ?? '').not.toContain(request.redirectUri)
      expect(await liveSessions(email)).toBe(0)
    })
  })

  test('and looks again between the two still speaks for whom it began with', async () => {
    const { email } = await signUpAndIn(server, own)
    const { browser, page } = await signInAnew(email, third)
    const onward = await browser.submit(page, '/consent')
    const looks = afterFirstLook(() => change(email))
    const answer = await browser.get(onward.next!)
    expect(looks()).toBeGreaterThan(1)
    expect((await browser.follow(answer)).status).toBe(400)
    expect(await isSignedIn(browser, server)).toBe(false)
    expect(await liveSessions(email)).toBe(0)
  })

  test('and would change something itself changes nothing: of two changes in one moment one is made', async (context) => {
    context.skip(!place.url, 'the embedded database has one connection')
    const { browser, email } = await signUpAndIn(server, own)
    const rival = (await signInAnew(email)).browser
    const at = { text: 'select from users where email_canonical = $1 for update', values: [email] }
    const answers = await meet(server.database.pool, { at, waiting: 2 }, () => [
      changeHere(browser),
      changeHere(rival),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    const [winner, loser] = answers[0]!.status === 200 ? [browser, rival] : [rival, browser]
    expect(await isSignedIn(winner, server)).toBe(true)
    expect(await isSignedIn(loser, server)).toBe(false)
    expect(await liveSessions(email)).toBe(1)
  })

  test('takes nothing from the session that was kept', async (context) => {
    context.skip(!place.url, 'the embedded database has one connection')
    const { browser, email } = await signUpAndIn(server, own)
    const twin = createBrowser()
    browser.copyJarTo(twin)
    const at = { text: 'select from users where email_canonical = $1 for update', values: [email] }
    const [answer] = await meet(
      server.database.pool,
      { at, waiting: 1, meanwhile: () => twin.get(authorizationRequest(server, third, OPAQUE).url) },
      () => [changeHere(browser)],
    )
    expect(answer?.status).toBe(200)
    expect(await isSignedIn(browser, server)).toBe(true)
    expect(await isSignedIn(twin, server)).toBe(false)
    expect(await liveSessions(email)).toBe(1)
  })
})

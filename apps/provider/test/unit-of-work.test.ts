// One request, one unit of work: all it did is committed before its answer leaves, or nothing was done and it says so.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { artifact, meet, table } from './races/support/barrier.ts'
import { type Browser, createBrowser, type Page } from './support/browser.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import {
  authorizationRequest,
  begin,
  codeOf,
  isSignedIn,
  newEmail,
  OPAQUE,
  PASSWORD,
  type Request,
  redeem,
  refresh,
  register,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let database: TestDatabase
let server: TestServer
let clients: TestServer['clients']
beforeAll(async () => {
  database = await createTestDatabase()
  server = await startServer({ database: await database.open() })
  clients = server.clients
  await sql(`create function refuse() returns trigger language plpgsql as $$
    begin raise exception 'refused' using errcode = tg_argv[0]; end $$`)
})
afterAll(async () => {
  await server.close()
  await database.drop()
})
afterEach(allowEverything)

const sql = (text: string) => server.database.pool.query(text)
const TABLES = ['users', 'credentials', 'audit_events', 'artifacts'] as const

/** SQLSTATE of what the database says: a row it will not have, something nobody foresaw, no room left. */
const ERRORS = { constraint: '23514', surprise: 'XX000', 'full disk': '53100' }

/** Of what is written from here on, this is refused. */
const refuse = (rows: (typeof TABLES)[number], when = 'true', code = ERRORS.surprise) =>
  sql(`create trigger refuse before insert or update on ${rows} for each row when (${when})
    execute function refuse('${code}')`)

async function allowEverything() {
  for (const name of TABLES) await sql(`drop trigger if exists refuse on ${name}`)
}

/** Everything there is, counted, and what interactions have come to. */
async function everything() {
  const { rows } =
    await sql(`select (select count(*) from users) as users, (select count(*) from credentials) as credentials,
    (select count(*) from audit_events) as traces, (select count(*) from artifacts) as artifacts,
    (select count(*) from artifacts where payload -> 'result' is not null) as results,
    (select count(*) from artifacts where consumed_at is not null) as consumed`)
  return rows[0]
}

function expectOurPage(page: Page) {
  expect(page.status).toBeGreaterThanOrEqual(500)
  expect(page.headers.get('content-type')).toContain('text/html')
  expect(page.headers.getSetCookie()).toEqual([])
  expect(page.next).toBeNull()
}

describe('an account', () => {
  test.each([
    ['the person', 'users', 'true'],
    ['their credential', 'credentials', 'true'],
    ['the trace of it', 'audit_events', `new.type = 'user.registered'`],
    ['the trace of the sign-in', 'audit_events', `new.type = 'sign_in.succeeded'`],
    ['the way onward', 'artifacts', `new.kind = 'Interaction' and new.payload -> 'result' is not null`],
  ] as const)(
    'is there with all that belongs to it or not at all: %s cannot be written',
    async (_, rows, when) => {
      const browser = createBrowser()
      const request = authorizationRequest(server, clients.own)
      const page = await begin(browser, request)
      const person = { email: newEmail() }
      const before = await everything()

      await refuse(rows, when)
      expectOurPage(await register(browser, page, person))
      expect(await everything()).toEqual(before)

      await allowEverything()
      expect(codeOf(await register(browser, page, person))).toBeTypeOf('string')
    },
  )
})

describe('a commit that fails', () => {
  let browser: Browser
  let request: Request
  let signedUp: Awaited<ReturnType<typeof signUpAndIn>>
  beforeEach(async () => {
    signedUp = await signUpAndIn(server, clients.own, OPAQUE)
    browser = signedUp.browser
    request = authorizationRequest(server, clients.own, OPAQUE)
  })

  async function expectJson(response: Response) {
    expect(response.status).toBeGreaterThanOrEqual(500)
    expect(response.headers.getSetCookie()).toEqual([])
    const body = (await response.json()) as Record<string, unknown>
    expect(['server_error', 'temporarily_unavailable']).toContain(body['error'])
    for (const word of ['access_token', 'active', 'request_uri']) expect(body).not.toHaveProperty(word)
  }

  const post = (path: string, fields: Record<string, string | undefined>) => {
    const { client_id, client_secret } = clients.own
    const entries = Object.entries({ client_id, client_secret, ...fields }) as [string, string][]
    return fetch(server.issuer + path, { method: 'POST', body: new URLSearchParams(entries) })
  }

  test.each(Object.entries(ERRORS))(
    'leaves a code as it was, and the app is told to try again (%s)',
    async (_, code) => {
      const fresh = codeOf(await begin(browser, request))
      const before = await everything()
      await refuse('artifacts', `new.kind = 'AccessToken'`, code)
      await expectJson(
        await post('/token', {
          grant_type: 'authorization_code',
          code: fresh,
          redirect_uri: request.redirectUri,
          code_verifier: request.verifier,
        }),
      )
      expect(await everything()).toEqual(before)
      await allowEverything()
      const { status, body } = await redeem(server, clients.own, { request, code: fresh })
      expect([status, body.token_type]).toEqual([200, 'Bearer'])
    },
  )

  test('leaves a refresh token as it was', async () => {
    const { tokens } = await signUpAndIn(server, clients.spa, { ...OPAQUE, prompt: 'consent' })
    await refuse('artifacts', `new.kind = 'RefreshToken' and new.consumed_at is null`)
    expect((await refresh(server, clients.spa, tokens.refresh_token)).status).toBe(500)
    await allowEverything()
    expect((await refresh(server, clients.spa, tokens.refresh_token)).status).toBe(200)
  })

  test('is told to programs in their language, whatever they asked for', async () => {
    await refuse('artifacts')
    await expectJson(
      await post('/request', {
        response_type: 'code',
        redirect_uri: request.redirectUri,
        scope: 'openid',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      }),
    )
    await allowEverything()
    await sql(
      `create trigger refuse before delete on artifacts for each row execute function refuse('XX000')`,
    )
    await expectJson(await post('/token/revocation', { token: signedUp.tokens.refresh_token }))
    await allowEverything()
    expect((await refresh(server, clients.own, signedUp.tokens.refresh_token)).status).toBe(200)
  })

  test('sends nobody to the app, sets no cookie and keeps no code; the next try is the first', async () => {
    const before = await everything()
    await refuse('artifacts', `new.kind = 'AuthorizationCode'`)
    expectOurPage(await browser.get(request.url))
    expect(await everything()).toEqual(before)
    await allowEverything()
    expect(codeOf(await browser.get(request.url))).toBeTypeOf('string')
  })

  test('begins no journey', async () => {
    const stranger = createBrowser()
    await refuse('artifacts', `new.kind = 'Interaction'`)
    expectOurPage(await stranger.get(request.url))
    expect(stranger.jar.size).toBe(0)
  })

  test('at the end of a journey signs nobody in, and the journey can be ended again', async () => {
    const person = createBrowser()
    const page = await begin(person, request)
    const fields = { email: signedUp.email, password: PASSWORD }
    const onward = await person.submit(page, '/method/password', fields)
    const jar = new Map(person.jar)
    await refuse('artifacts', `new.kind = 'Session'`)
    const before = await everything()
    expectOurPage(await person.get(onward.next!))
    expect(person.jar).toEqual(jar)
    expect(await everything()).toEqual(before)
    await allowEverything()
    expect(codeOf(await person.get(onward.next!))).toBeTypeOf('string')
    expect(await isSignedIn(person, server)).toBe(true)
  })

  test('or a read that fails on the way there, costs nobody the session they had', async () => {
    const { browser, email } = await signUpAndIn(server, clients.third, OPAQUE)
    const again = authorizationRequest(server, clients.third, { ...OPAQUE, prompt: 'login' })
    const page = await begin(browser, again)
    const onward = await browser.submit(page, '/method/password', {
      email,
      password: PASSWORD,
    })
    await sql(`delete from artifacts where kind = 'Grant'`)
    await sql('alter table consents rename to gone')
    try {
      expectOurPage(await browser.get(onward.next!))
    } finally {
      await sql('alter table gone rename to consents')
    }
    expect(await isSignedIn(browser, server)).toBe(true)
    expect(codeOf(await browser.get(onward.next!))).toBeTypeOf('string')
  })

  test('signs nobody out', async () => {
    await refuse('audit_events')
    const page = await browser.get(`${server.issuer}/account`)
    expectOurPage(await browser.submit(page, '/sign-out'))
    await allowEverything()
    expect(await isSignedIn(browser, server)).toBe(true)
    expect((await refresh(server, clients.own, signedUp.tokens.refresh_token)).status).toBe(200)
  })
})

describe('an answer', () => {
  /** Whether it had come while the commit waited, and what it was in the end. */
  async function whileHeld<T>(at: typeof table, ask: () => Promise<T>) {
    let hasCome = false
    let hadCome = true
    const meanwhile = async () => {
      hadCome = hasCome
    }
    const [answer] = await meet(server.database.pool, { at, waiting: 1, meanwhile }, () => [
      ask().finally(() => {
        hasCome = true
      }),
    ])
    return { hadCome, answer: answer! }
  }

  test('with tokens does not leave before they are there', async (context) => {
    context.skip(!database.url, 'the embedded database has one connection')
    const { browser } = await signUpAndIn(server, clients.own)
    const request = authorizationRequest(server, clients.own)
    const code = codeOf(await begin(browser, request))
    const { hadCome, answer } = await whileHeld(artifact('AuthorizationCode', code), () =>
      redeem(server, clients.own, { request, code }),
    )
    expect([hadCome, answer.status]).toEqual([false, 200])
  })

  test('with a code does not leave before it is there', async (context) => {
    context.skip(!database.url, 'the embedded database has one connection')
    const { browser } = await signUpAndIn(server, clients.own)
    const request = authorizationRequest(server, clients.own)
    const { hadCome, answer } = await whileHeld(table, () => browser.get(request.url))
    expect([hadCome, codeOf(answer).length > 20]).toEqual([false, true])
  })

  test('to a new person does not leave before they are known', async (context) => {
    context.skip(!database.url, 'the embedded database has one connection')
    const browser = createBrowser()
    const page = await begin(browser, authorizationRequest(server, clients.own))
    const { hadCome, answer } = await whileHeld(table, () => register(browser, page))
    expect([hadCome, codeOf(answer).length > 20]).toEqual([false, true])
  })
})

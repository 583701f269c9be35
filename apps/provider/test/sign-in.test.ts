import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  anotherNetwork,
  type Browser,
  createBrowser,
  formsOf,
  type Page,
  TRUST_LOOPBACK,
} from './support/browser.ts'
import { sendRaw } from './support/raw.ts'
import {
  auditTrail,
  authorizationRequest,
  begin,
  isSignedIn,
  newEmail,
  PASSWORD,
  signIn,
  signUpAndIn,
} from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ settings: TRUST_LOOPBACK })
})
afterAll(() => server.close())

const WRONG = 'seven orange umbrellas at night'

async function open(headers = anotherNetwork(), app: 'own' | 'third' = 'own') {
  const browser = createBrowser({ headers })
  const page = await begin(browser, authorizationRequest(server, server.clients[app]))
  return { browser, page }
}

const newPerson = async () => (await signUpAndIn(server, server.clients.own)).email

/** One try in a browser that never tried before. */
async function attempt(
  email: string,
  password = WRONG,
  headers = anotherNetwork(),
): Promise<Page & { browser: Browser }> {
  const { browser, page } = await open(headers)
  return { browser, ...(await browser.submit(page, '/method/password', { email, password })) }
}

const disable = (email: string) =>
  server.database.prisma.user.updateMany({ where: { email }, data: { disabledAt: new Date() } })

describe('T015: a person who is not let in', () => {
  /** All that tells one answer from another, without what differs from try to try. */
  function shapeOf({ status, headers, text }: Page, email: string) {
    const body = text
      .replaceAll(email, 'EMAIL')
      .replace(/\/interaction\/[\w-]+/g, '/interaction/UID')
      .replace(/value="[\w-]{43}"/g, 'value="CSRF"')
      .replace(/data-options="[^"]*"/g, 'data-options')
    const fixed = [...headers].filter(
      ([name]) => !['date', 'x-request-id', 'set-cookie', 'content-length'].includes(name),
    )
    const cookies = headers
      .getSetCookie()
      .map((line) => line.replace(/=[^;]*/, '').replace(/expires=[^;]*/i, ''))
    return { status, body, fixed, cookies }
  }

  test('gets the very same answer with a wrong password, without an account and with a disabled one', async () => {
    const [known, disabled, unknown] = [await newPerson(), await newPerson(), newEmail()]
    await disable(disabled)
    const wrong = shapeOf(await attempt(known), known)
    expect(wrong.status).toBe(422)
    expect(shapeOf(await attempt(unknown), unknown)).toEqual(wrong)
    expect(shapeOf(await attempt(disabled, PASSWORD), disabled)).toEqual(wrong)
    expect(
      shapeOf(
        await attempt(`not-an-address-${unknown.slice(0, 8)}`),
        `not-an-address-${unknown.slice(0, 8)}`,
      ),
    ).toEqual(wrong)
  })

  test('waits as long without an account as with one', async () => {
    const known = await newPerson()
    const unknown = newEmail()
    const { browser, page } = await open()
    const took = async (email: string) => {
      const before = performance.now()
      await browser.submit(page, '/method/password', { email, password: WRONG })
      return performance.now() - before
    }
    const [withAccount, without]: [number[], number[]] = [[], []]
    for (let tries = 0; tries < 9; tries++) {
      withAccount.push(await took(known))
      without.push(await took(unknown))
    }
    const median = (times: number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!
    expect(median(without) / median(withAccount)).toBeGreaterThan(0.5)
    expect(median(without) / median(withAccount)).toBeLessThan(2)
  })

  test('sees the address they typed again, the password never', async () => {
    const email = newEmail()
    const page = await attempt(email)
    expect(page.text).toContain(`value="${email}"`)
    expect(page.text).not.toContain(WRONG)
    expect(await isSignedIn(page.browser, server)).toBe(false)
  })

  test('who leaves a field empty is told which, and has lost no try', async () => {
    const { browser, page } = await open()
    const email = await newPerson()
    for (let tries = 0; tries < 12; tries++) {
      const answer = await browser.submit(page, '/method/password', { email, password: '' })
      expect(answer.status).toBe(422)
    }
    expect((await signIn(browser, page, { email })).next).toContain('code=')
  })
})

describe('tries are counted before anything is verified:', () => {
  test('after ten wrong ones the eleventh gets 429 and a time, be it right, from wherever it comes', async () => {
    const email = await newPerson()
    for (let tries = 0; tries < 10; tries++) expect((await attempt(email)).status).toBe(422)
    const before = (await auditTrail(server, 'sign_in.failed')).length
    for (const password of [WRONG, PASSWORD]) {
      const refused = await attempt(email, password)
      expect(refused.status).toBe(429)
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60)
      expect(await isSignedIn(refused.browser, server)).toBe(false)
    }
    expect((await auditTrail(server, 'sign_in.failed')).length).toBe(before)
    expect((await attempt(await newPerson(), PASSWORD)).status).toBe(200)
  })

  test('T001: for an address without an account it is the same', async () => {
    const email = newEmail()
    for (let tries = 0; tries < 10; tries++) expect((await attempt(email)).status).toBe(422)
    expect((await attempt(email)).status).toBe(429)
  })

  test('however the address is written it is one account', async () => {
    const email = await newPerson()
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => attempt(index % 2 ? email.toUpperCase() : ` ${email} `)),
    )
    expect((await attempt(email, PASSWORD)).status).toBe(429)
  })

  test('T045: thirty that arrive together cost thirty', async () => {
    const email = await newPerson()
    const answers = await Promise.all(Array.from({ length: 30 }, () => attempt(email)))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 422)).toHaveLength(10)
    expect(statuses.filter((status) => status === 429)).toHaveLength(20)
  })

  test('R015: a right one forgives the account the wrong ones before it', async () => {
    const email = await newPerson()
    for (let tries = 0; tries < 9; tries++) await attempt(email)
    expect((await attempt(email, PASSWORD)).status).toBe(200)
    for (let tries = 0; tries < 10; tries++) expect((await attempt(email)).status).toBe(422)
    expect((await attempt(email)).status).toBe(429)
  })

  test('a right one costs nothing', async () => {
    const email = await newPerson()
    for (let tries = 0; tries < 12; tries++) expect((await attempt(email, PASSWORD)).status).toBe(200)
  })

  test('T020: one password tried on many accounts ends with the network it comes from, and with no other', async () => {
    const headers = anotherNetwork()
    const sprayed = await Promise.all(Array.from({ length: 32 }, () => attempt(newEmail(), WRONG, headers)))
    expect(sprayed.filter(({ status }) => status === 422)).toHaveLength(30)
    expect(sprayed.filter(({ status }) => status === 429)).toHaveLength(2)
    expect((await attempt(await newPerson(), PASSWORD, headers)).status).toBe(429)
    expect((await attempt(await newPerson(), PASSWORD)).status).toBe(200)
  })
})

describe('T025: another site that posts the right password', () => {
  const cases: [string, Record<string, string>][] = [
    ['from its own origin', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['from an origin it hides', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
    ['from a sibling', { origin: 'http://localhost:3999', 'sec-fetch-site': 'same-site' }],
    ['in an older browser', { origin: 'https://evil.example' }],
  ]

  test.each(cases)('%s is refused with 403 and nobody is signed in', async (_, headers) => {
    const email = await newPerson()
    const { browser, page } = await open()
    const { action, fields } = formsOf(page)[0]!
    const answer = await browser.send(action, { form: { ...fields, email, password: PASSWORD }, headers })
    expect(answer.status).toBe(403)
    expect(await isSignedIn(browser, server)).toBe(false)
  })

  test('without our form’s value, or with that of another browser, is refused with 403', async () => {
    const email = await newPerson()
    const { browser, page } = await open()
    const foreign = formsOf((await open()).page)[0]!.fields
    const { action } = formsOf(page)[0]!
    for (const fields of [{}, { csrf: '' }, foreign]) {
      expect((await browser.send(action, { form: { ...fields, email, password: PASSWORD } })).status).toBe(
        403,
      )
    }
    expect(await isSignedIn(browser, server)).toBe(false)
    expect((await signIn(browser, page, { email })).next).toContain('code=')
  })

  test.each(['text/plain', 'application/json', 'multipart/form-data; boundary=x'])(
    'cannot send it as %s',
    async (type) => {
      const { browser, page } = await open()
      const { action, fields } = formsOf(page)[0]!
      const cookie = [...browser.jar.values()].map(({ name, value }) => `${name}=${value}`).join('; ')
      const body = new URLSearchParams({ ...fields, email: 'a@example.test', password: PASSWORD }).toString()
      const answer = await sendRaw(server.address, {
        method: 'POST',
        path: new URL(action).pathname,
        headers: { cookie, 'content-type': type },
        body,
      })
      expect(answer.status).toBe(415)
    },
  )

  test.each(['/consent', '/cancel', '/register'])('cannot press %s either', async (step) => {
    const { browser, page } = await open()
    expect((await browser.send(`${page.url}${step}`, { form: { csrf: 'guessed' } })).status).toBe(403)
    expect((await browser.get(page.url)).status).toBe(200)
  })
})

test('T026: no other method, and no header or field that names one, signs anybody in', async () => {
  const email = await newPerson()
  const { browser, page } = await open()
  const { action, fields } = formsOf(page)[0]!
  const query = new URLSearchParams({ ...fields, email, password: PASSWORD, _method: 'POST' })
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const headers = { 'x-http-method-override': 'POST' }
    const answer = await browser.send(`${action}?${query}`, { method, headers })
    expect([404, 405], method).toContain(answer.status)
  }
  for (const method of ['TRACE', 'PROPFIND', 'BREW']) {
    const answer = await sendRaw(server.address, { method, path: new URL(action).pathname }).catch(() => ({
      status: 400,
    }))
    expect([400, 404, 405], method).toContain(answer.status)
  }
  expect(await isSignedIn(browser, server)).toBe(false)
  expect((await signIn(browser, page, { email })).next).toContain('code=')
})

test('T096: a posted password is never followed by a redirect that could repeat it', async () => {
  const email = await newPerson()
  const { browser, page } = await open()
  const answer = await browser.submit(page, '/method/password', { email, password: PASSWORD })
  expect([answer.status, answer.headers.get('location')]).toEqual([200, null])
  expect(new URL(answer.next!).origin).toBe(server.issuer)
})

describe('T142: when too many passwords are to be hashed at once', () => {
  let small: TestServer
  beforeAll(async () => {
    small = await startServer({
      policy: (policy) => ({ ...policy, hashing: { slots: 1, queue: 0, wait: 2000 } }),
    })
  })
  afterAll(() => small.close())

  test('the excess gets 503, a time to come back and a calm page, and has lost no try', async () => {
    const browser = createBrowser()
    const page = await begin(browser, authorizationRequest(small, small.clients.own))
    const email = newEmail()
    const answers = await Promise.all(
      Array.from({ length: 9 }, () => browser.submit(page, '/method/password', { email, password: WRONG })),
    )
    const busy = answers.filter(({ status }) => status === 503)
    expect(answers.every(({ status }) => status === 422 || status === 503)).toBe(true)
    expect(busy.length).toBeGreaterThan(0)
    expect(Number(busy[0]!.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(busy[0]!.text).toContain('<h1>')
    for (let tries = answers.length - busy.length; tries < 10; tries++) {
      expect((await browser.submit(page, '/method/password', { email, password: WRONG })).status).toBe(422)
    }
    expect((await browser.submit(page, '/method/password', { email, password: WRONG })).status).toBe(429)
  })
})

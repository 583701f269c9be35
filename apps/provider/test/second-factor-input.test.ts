// What is no code, no passkey, or none any more, posted wherever a second factor is brought or set up.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digest } from '../src/lib/digest.ts'
import { halfWay, newMember, wrongCode } from './support/account.ts'
import { appCode, enrolApp, secretIn } from './support/authenticator-app.ts'
import { type Browser, csrfIn, formsOf, type Page, TRUST_LOOPBACK } from './support/browser.ts'
import { addPasskey } from './support/holders.ts'
import { codeOf, journeyOf } from './support/relying-party.ts'
import { STRICT_APP, startServer, type TestServer } from './support/server.ts'

const STEP = 30_000

type Situation = { browser: Browser; base: string; csrf: string; secret: string }

let server: TestServer
const situations = {} as Record<'door' | 'way' | 'account', Situation>
beforeAll(async () => {
  server = await startServer({ settings: TRUST_LOOPBACK, clients: [STRICT_APP] })
  situations.door = await atTheDoor()
  situations.way = await onTheWay()
  situations.account = await inTheAccount()
})
afterAll(() => server.close())

const codeNow = (secret: string) => appCode(secret, new Date())

/** Somebody who has an app, recovery codes and a passkey, and has brought the password. */
async function atTheDoor(): Promise<Situation> {
  const member = await enrolApp(server, await newMember(server), codeNow)
  await addPasskey(server, member)
  const again = await halfWay(server, member)
  return { ...again, base: journeyOf(again.page), csrf: csrfIn(again.page), secret: member.secret }
}

/** Somebody who has to set up a second factor before they go on. */
async function onTheWay(): Promise<Situation> {
  const { browser, page } = await halfWay(server, await newMember(server), STRICT_APP)
  const setup = await browser.submit(page, '/enrol/totp/begin')
  return { browser, base: journeyOf(page), csrf: csrfIn(setup), secret: secretIn(setup) }
}

/** Somebody who is setting up an app in their account. */
async function inTheAccount(): Promise<Situation> {
  const { browser } = await newMember(server)
  const base = `${server.issuer}/account/security`
  const setup = await browser.submit(await browser.get(base), '/totp/begin')
  return { browser, base, csrf: csrfIn(setup), secret: secretIn(setup) }
}

type Place = [situation: keyof typeof situations, path: string, field: string]
const PLACES: Place[] = [
  ['door', '/second/totp', 'code'],
  ['door', '/second/recovery-codes', 'code'],
  ['door', '/second/passkey', 'response'],
  ['way', '/enrol/totp/confirm', 'code'],
  ['way', '/enrol/passkey/add', 'response'],
  ['account', '/totp/confirm', 'code'],
  ['account', '/passkey/add', 'response'],
]

/** Typed or sent by mistake: the same page, with a word on what is expected. */
const MISTAKES: [string, string][] = [
  ['one digit', '1'],
  ['five digits', '12345'],
  ['seven digits', '1234567'],
  ['full-width digits', '１２３４５６'],
  ['Arabic-Indic digits', '١٢٣٤٥٦'],
  ['a number in another notation', '0x1234'],
  ['a fraction', '123.456'],
  ['a sign in front', '+123456'],
  ['JSON', '{"code":"123456"}'],
  ['a list', '["123456"]'],
  ['SQL', "' or '1'='1"],
  ['half a surrogate pair', '\ud800'],
]

/** No form of ours sends it: the form is refused as such. */
const NO_FORMS: [string, (field: string) => [string, string][], number][] = [
  [
    'the field twice',
    (field) => [
      [field, '1'],
      [field, '2'],
    ],
    400,
  ],
  ['a NUL', (field) => [[field, '123456\0']], 422],
  ['thirty thousand characters', (field) => [[field, '1'.repeat(30_000)]], 422],
  ['more than a form may hold', (field) => [[field, '1'.repeat(60_000)]], 413],
]

const send = ([situation, path]: Place, fields: [string, string][]): Promise<Page> => {
  const { browser, base, csrf } = situations[situation]
  return browser.send(`${base}${path}`, { form: [['csrf', csrf], ...fields] })
}

/** Tries that count against the person or their account, of everybody here. */
async function counted(): Promise<string[]> {
  const { rows } = await server.database.pool.query<{ name: string }>(
    `select split_part(key, ':', 1) as name from rate_limits where points > 0 and key ~ '^(totp|recovery_code)_'
     union all select purpose from challenges where purpose = 'totp_enrolment' and attempts > 0 and spent_at is null`,
  )
  return rows.map(({ name }) => name)
}

describe('T045: never a 5xx, and no try lost', () => {
  describe.each(PLACES)('%s %s', (...place) => {
    const [, path, field] = place
    const isOffer = path.endsWith('/passkey/add')

    test.each(MISTAKES)('%s gets the same page', async (_, typed) => {
      const page = await send(place, [[field, typed]])
      expect(page.status).toBe(422)
      expect(page.text).toContain('role="alert"')
      expect(formsOf(page).some(({ action }) => action.endsWith(path))).toBe(true)
    })

    test.each<[string, [string, string][]]>([
      ['nothing', []],
      ['an empty field', [[field, '']]],
      ['a list of fields', [[`${field}[]`, '1']]],
      ['an object of fields', [[`${field}[0]`, '1']]],
    ])('%s gets the page that asks', async (_, fields) => {
      const page = await send(place, fields)
      // To add a passkey begins with such a post.
      expect(page.status).toBe(isOffer ? 200 : 422)
      expect(formsOf(page).some(({ action }) => action.endsWith(path))).toBe(true)
    })

    test.each(NO_FORMS)('%s gets a calm answer', async (_, fields, status) => {
      const page = await send(place, fields(field))
      expect(page.status).toBe(status)
      expect(page.headers.get('content-type')).toContain('text/html')
    })

    test('a megabyte is not read to its end', async () => {
      const cutOff = { status: 413 }
      expect((await send(place, [[field, '1'.repeat(1_000_000)]]).catch(() => cutOff)).status).toBe(413)
    })
  })

  test('nothing of all that counted, and everybody goes on where they were', async () => {
    expect(await counted()).toEqual([])
    for (const place of PLACES.filter(([, path]) => path.endsWith('/totp/confirm'))) {
      const done = await send(place, [['code', codeNow(situations[place[0]].secret)]])
      expect([place, done.status]).toEqual([place, 200])
    }
    await server.database.pool.query('update credentials set counter = counter - 10 where counter > 10')
    const [door = PLACES[0]!] = PLACES
    const { browser, secret } = situations.door
    expect(codeOf(await browser.follow(await send(door, [['code', codeNow(secret)]])))).toBeTruthy()
  })
})

describe('T044: a code that could be one, and is not', () => {
  const pointsOf = async (limit: string, userId: string) => {
    const { rows } = await server.database.pool.query<{ points: number }>(
      'select points from rate_limits where key = $1',
      [`${limit}:${digest(userId)}`],
    )
    return rows[0]?.points ?? 0
  }

  test('is refused and counted, whether it is wrong, too old, too new or used', async () => {
    const member = await enrolApp(server, await newMember(server), codeNow)
    const used = codeNow(member.secret)
    const at = (steps: number) => appCode(member.secret, new Date(Date.now() + steps * STEP))
    const { browser, page } = await halfWay(server, member)
    let tries = 0
    for (const code of [wrongCode(used), at(-3), at(4), used]) {
      expect((await browser.submit(page, '/second/totp', { code })).status).toBe(422)
      tries++
      expect(await pointsOf('totp_per_account', member.id)).toBe(tries)
      expect(await pointsOf('totp_in_a_row', member.id)).toBe(tries)
    }
    const paper = await browser.get(`${journeyOf(page)}/second/recovery-codes`)
    const unknown = member.recoveryCodes[0]!.replace(/^./, (first) => (first === 'a' ? 'b' : 'a'))
    expect((await browser.submit(paper, '/second/recovery-codes', { code: unknown })).status).toBe(422)
    expect(await pointsOf('recovery_code_per_account', member.id)).toBe(1)
    expect(await pointsOf('totp_per_account', member.id)).toBe(tries)
  })

  test('is counted where an app is set up as well, and burns that after five', async () => {
    const { browser, id } = await newMember(server)
    const security = await browser.get(`${server.issuer}/account/security`)
    const setup = await browser.submit(security, '/totp/begin')
    const right = codeNow(secretIn(setup))
    for (let tries = 1; tries <= 5; tries++) {
      const refused = await browser.submit(setup, '/totp/confirm', { code: wrongCode(right) })
      expect(refused.status).toBe(422)
    }
    const over = await browser.submit(setup, '/totp/confirm', { code: right })
    expect(over.status).toBe(422)
    expect(over.text).toContain('Begin again')
    expect(await pointsOf('totp_per_account', id)).toBe(0)
  })
})

// Wrong codes of an authenticator app: they close it, and its owner hears that somebody got that far.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { halfWay, letterAbout, newMember, withManyLetters, wrongCode } from './support/account.ts'
import { appCode, createAppClock, enrolApp } from './support/authenticator-app.ts'
import { anotherNetwork, type Browser, createBrowser, type Page } from './support/browser.ts'
import { lettersTo } from './support/mailbox.ts'
import { auditTrail, codeOf } from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'
import { startTwins, type Twins } from './support/twins.ts'

const MINUTE = 60_000
/** Instead of a hundred: each of them would only be more of the same. */
const IN_A_ROW = 12

let twins: Twins
let server: TestServer
let sibling: TestServer
const { now, nextCode } = createAppClock()

beforeAll(async () => {
  const policy = (said: TestServer['config']['policy']) => {
    const { limits, ...rest } = withManyLetters(said)
    return {
      ...rest,
      limits: { ...limits, totp_in_a_row: [{ points: IN_A_ROW, per: 600 * MINUTE, block: 0 }] },
    }
  }
  twins = await startTwins({ policy, now })
  ;({ server, sibling } = twins)
})
afterAll(() => twins.close())

const newPerson = async () => enrolApp(server, await newMember(server), nextCode)
type Person = Awaited<ReturnType<typeof newPerson>>

/** One code, posted to one of the two instances from a network of its own. */
async function bring({ browser, page }: { browser: Browser; page: Page }, code: string, at = server) {
  const sender = createBrowser({ headers: anotherNetwork(), at: at.address })
  browser.copyJarTo(sender)
  return sender.follow(await sender.submit(page, '/second/totp', { code }))
}

async function guess(person: Person, times: number): Promise<number[]> {
  const guesser = await halfWay(server, person)
  const statuses: number[] = []
  for (let tries = 0; tries < times; tries++)
    statuses.push((await bring(guesser, wrongCode(appCode(person.secret, now())))).status)
  return statuses
}

/** As if so much time had gone by since the last try. */
const pass = (ms: number) =>
  server.database.pool.query(
    "update rate_limits set expire = expire - $1 where key like 'totp_per_account%'",
    [ms],
  )

const LOCKED = /^Too many wrong codes at your .* account$/
const DISABLED = /^Your .* authenticator app no longer works$/

const alarms = async ({ email }: Person) =>
  (await lettersTo(server, email)).filter(({ subject }) => LOCKED.test(subject) || DISABLED.test(subject))
const locksOf = async ({ id }: Person) =>
  (await auditTrail(server, 'sign_in.locked'))
    .filter(({ user_id }) => user_id === id)
    .map(({ data }) => [data['method'], data['lock']])

describe('T045: an authenticator app at which somebody guesses who knows the password', () => {
  test('five wrong codes in five minutes have to wait, and alarm nobody', async () => {
    const person = await newPerson()
    expect(await guess(person, 7)).toEqual([422, 422, 422, 422, 422, 429, 429])
    expect(await locksOf(person)).toEqual([])
    await pass(5 * MINUTE)
    expect(codeOf(await bring(await halfWay(server, person), nextCode(person.secret)))).toBeTruthy()
    expect(await alarms(person)).toEqual([])
  })

  test('ten in a quarter of an hour close it, and of two instances at once one tells the owner', async () => {
    const person = await newPerson()
    await guess(person, 5)
    await pass(5 * MINUTE)
    const guesser = await halfWay(server, person)
    const wrong = wrongCode(appCode(person.secret, now()))
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => bring(guesser, wrong, index % 2 ? sibling : server)),
    )
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(5)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(7)
    expect(await locksOf(person)).toEqual([['totp', 'soft']])

    const letter = await letterAbout(server, person.email, { subject: LOCKED })
    expect(letter.text).toContain('paused for 15 minutes')
    expect(letter.text).toMatch(/^http.*\/forgot$/m)

    const refused = await bring(await halfWay(server, person), nextCode(person.secret), sibling)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(14 * 60)
    await pass(15 * MINUTE)
    expect(codeOf(await bring(await halfWay(server, person), nextCode(person.secret)))).toBeTruthy()
    expect(await alarms(person)).toHaveLength(1)
  })

  test('too many in a row close it for good, until the owner comes in another way and sets up another', async () => {
    const person = await newPerson()
    await guess(person, 5)
    await pass(5 * MINUTE)
    await guess(person, 5)
    await pass(15 * MINUTE)
    await guess(person, 2)
    expect(await locksOf(person)).toEqual([
      ['totp', 'soft'],
      ['totp', 'disabled'],
    ])
    await letterAbout(server, person.email, { subject: DISABLED })
    const { browser, page } = await halfWay(server, person)
    const refused = await bring({ browser, page }, nextCode(person.secret))
    expect(refused.status).toBe(429)
    expect(refused.text).toContain('recovery code')

    const other = await browser.get(`${page.url}/second/recovery-codes`)
    const [code = ''] = person.recoveryCodes
    const opened = await browser.submit(other, '/second/recovery-codes', { code })
    expect(codeOf(await browser.follow(opened))).toBeTruthy()
    const renewed = await enrolApp(server, { ...person, browser }, nextCode)
    expect(codeOf(await bring(await halfWay(server, person), nextCode(renewed.secret)))).toBeTruthy()
    expect(await alarms(person)).toHaveLength(2)
  })
})

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  act,
  attemptOf,
  changed,
  claim,
  codesOn,
  type House,
  KEY,
  newPerson,
  openHouses,
  secretOn,
  signIn,
} from '../../../test/support/second-factors.ts'
import { readConfig } from '../../config.ts'
import { silentLog } from '../../lib/log.ts'
import { createLimits } from '../../limits/store.ts'
import type { User } from '../../users/user.ts'
import type { SignInMethod } from '../method.ts'
import { codeOf } from './code.ts'

let town: Awaited<ReturnType<typeof openHouses>>
let here: House
let elsewhere: House
let ada: User

beforeAll(async () => {
  town = await openHouses()
  ;[here, elsewhere] = town.houses as [House, House]
})
afterAll(() => town.drop())
beforeEach(async () => {
  await town.empty()
  ada = await newPerson(here)
})

const begin = (user = ada, place?: string) =>
  act(here, here.totp, { user, name: 'begin', ...(place && { place }) })
const confirm = (code: string, more: { house?: House; place?: string; user?: User } = {}) => {
  const { house = here, user = ada, ...rest } = more
  return act(house, house.totp, { user, name: 'confirm', code, ...rest })
}
const codeNow = (secret: string) => codeOf(secret, town.clock.step)
/** A code that is none of the window. */
function wrongCode(secret: string, not: string[] = []) {
  const right = [-1, 0, 1].map((drift) => codeOf(secret, town.clock.step + drift))
  for (let number = 0; ; number++) {
    const code = String(number).padStart(6, '0')
    if (![...right, ...not].includes(code)) return code
  }
}
/** Half a minute after the enrolment, so that the code used for it is over. */
async function enrolled(user = ada) {
  const secret = secretOn(await begin(user))
  changed(await confirm(codeNow(secret), { user }))
  town.clock.step += 2
  return secret
}
const signInWith = (code: string, house = here) => signIn(house, house.totp, { user: ada, code })
const rowsOf = async (type: string) => town.first.prisma.credential.findMany({ where: { type } })

describe('T047: whoever sets up an app', () => {
  test('has none before a code of it came back', async () => {
    const secret = secretOn(await begin())
    expect(await here.totp.isEnrolled!(ada)).toBe(false)
    expect(await signInWith(codeNow(secret))).toBe('wrong')
    expect(changed(await confirm(codeNow(secret)))).toMatchObject({
      event: { type: 'totp.enrolled', userId: ada.id },
      letter: { kind: 'factor_added', factor: 'an authenticator app' },
    })
    expect(await elsewhere.totp.isEnrolled!(ada)).toBe(true)
    town.clock.step++
    expect(await signInWith(codeNow(secret), elsewhere)).toMatchObject({ user: { id: ada.id }, isNew: false })
  })

  test('gets 160 random bits', async () => {
    const secrets = [secretOn(await begin()), secretOn(await begin())]
    for (const secret of secrets) expect(secret).toMatch(/^[A-Z2-7]{32}$/)
    expect(secrets[0]).not.toBe(secrets[1])
  })

  test('is shown the secret once: neither after a wrong code, nor when all is done', async () => {
    const secret = secretOn(await begin())
    const wrong = await confirm(wrongCode(secret))
    const done = await confirm(codeNow(secret))
    const panel = await here.totp.manage!.panel({
      user: ada,
      fields: () => '',
      action: '',
      csrf: '',
      place: '',
      doneUrl: '/account/security',
    })
    for (const told of [wrong, done, panel, here.totp.show(attemptOf(ada, ''), [])]) {
      expect(JSON.stringify(told).replaceAll(' ', '')).not.toContain(secret)
      expect(JSON.stringify(told)).not.toContain('otpauth:')
    }
  })

  test('finds the secret sealed in the database, opened by our key in its own row alone', async () => {
    const secret = secretOn(await begin())
    const raw = Buffer.from(secret)
    const pending = await town.first.prisma.challenge.findMany()
    await confirm(codeNow(secret))
    const [row] = await rowsOf('totp')
    for (const stored of [JSON.stringify(pending), JSON.stringify(row!.data)]) {
      expect(stored).not.toContain(secret)
      expect(stored).not.toContain(raw.toString('base64'))
    }
    const grace = await newPerson(here, 'grace@example.test')
    await town.first.prisma.credential.create({
      data: { id: 'crd_moved', userId: grace.id, type: 'totp', data: row!.data as object },
    })
    await expect(signIn(here, here.totp, { user: grace, code: codeNow(secret) })).rejects.toThrow()
  })

  test('ends it in the browser where it began, and in no other', async () => {
    const secret = secretOn(await begin())
    const other = await confirm(codeNow(secret), { place: 'session 2' })
    expect(other).toMatchObject({ errors: ['This cannot be finished any more. Begin again, please.'] })
    expect(await here.totp.isEnrolled!(ada)).toBe(false)
    changed(await confirm(codeNow(secret)))
  })

  test('cannot end what somebody else began', async () => {
    const secret = secretOn(await begin())
    const grace = await newPerson(here, 'grace@example.test')
    expect(await confirm(codeNow(secret), { user: grace })).toMatchObject({ errors: [expect.any(String)] })
    expect(await here.totp.isEnrolled!(grace)).toBe(false)
  })

  test('has ten minutes', async () => {
    const secret = secretOn(await begin())
    await town.first.pool.query(`update challenges set expires_at = expires_at - interval '599 s'`)
    await expect(confirm(wrongCode(secret))).resolves.toMatchObject({
      errors: [expect.stringContaining('not right')],
    })
    await town.first.pool.query(`update challenges set expires_at = expires_at - interval '1 s'`)
    expect(await confirm(codeNow(secret))).toMatchObject({
      errors: [expect.stringContaining('cannot be finished')],
    })
  })

  test('has five tries on all instances together, and what is no code is none', async () => {
    const secret = secretOn(await begin())
    for (const typed of ['', '1', '１２３４５６']) await confirm(typed)
    const tries = Array.from({ length: 40 }, (_, index) =>
      confirm(wrongCode(secret), { house: town.houses[index % 2] }),
    )
    const answers = (await Promise.all(tries)) as { errors: string[] }[]
    const looked = answers.filter(({ errors }) => errors[0]!.includes('not right'))
    expect(looked).toHaveLength(5)
    expect(await confirm(codeNow(secret))).toMatchObject({ errors: [expect.stringContaining('Begin again')] })
  })

  test('in two windows has the newer secret, and the older one is none', async () => {
    const older = secretOn(await begin())
    const newer = secretOn(await begin())
    expect(await confirm(wrongCode(newer, [codeNow(newer)]))).toMatchObject({ errors: [expect.any(String)] })
    expect(await confirm(codeNow(older))).toMatchObject({ errors: [expect.any(String)] })
    changed(await confirm(codeNow(newer)))
  })

  test('sends the form ten times to two instances and has one app, one set of recovery codes, one letter', async () => {
    const secret = secretOn(await begin())
    const sent = Array.from({ length: 4 }, (_, index) =>
      confirm(codeNow(secret), { house: town.houses[index % 2] }),
    )
    const answers = await Promise.all(sent)
    expect(answers.filter((answer) => 'change' in answer)).toHaveLength(1)
    expect(await rowsOf('totp')).toHaveLength(1)
    expect(await rowsOf('recovery-codes')).toHaveLength(10)
  })

  test('gets recovery codes with the first one, and keeps them with the next', async () => {
    const first = changed(await confirm(codeNow(secretOn(await begin()))))
    expect(codesOn(first.page)).toHaveLength(10)
    expect(first.further).toEqual([{ type: 'recovery_codes.generated', userId: ada.id }])
    const kept = await rowsOf('recovery-codes')
    const second = changed(await confirm(codeNow(secretOn(await begin()))))
    expect(second.page).toBeUndefined()
    expect(second.further).toBeUndefined()
    expect(await rowsOf('recovery-codes')).toEqual(kept)
  })
})

describe('T048: an app that is replaced or turned off', () => {
  test('stays as it is until the new one is confirmed, and is nothing afterwards', async () => {
    const old = await enrolled()
    const fresh = secretOn(await begin())
    expect(await signInWith(codeNow(old))).toMatchObject({ isNew: false })
    changed(await confirm(codeNow(fresh)))
    town.clock.step += 2
    expect(await signInWith(codeNow(old))).toBe('wrong')
    expect(await signInWith(codeNow(fresh))).toMatchObject({ isNew: false })
    expect(await rowsOf('totp')).toHaveLength(1)
  })

  test('lets nobody in with a code that was looked at before', async () => {
    const secret = await enrolled()
    const outcome = await here.totp.verify(attemptOf(ada, codeNow(secret)))
    changed(await act(elsewhere, elsewhere.totp, { user: ada, name: 'remove' }))
    expect(await claim(here, outcome)).toBeNull()
  })

  test('is told to its owner and to the log, and its wrong codes are forgotten', async () => {
    const secret = await enrolled()
    const change = changed(await act(here, here.totp, { user: ada, name: 'remove' }))
    expect(change).toEqual({
      event: { type: 'totp.removed', userId: ada.id },
      letter: {
        kind: 'factor_removed',
        factor: 'an authenticator app',
        forgotUrl: 'https://id.example/forgot',
      },
      forgets: [
        expect.objectContaining({ limit: 'totp_per_account', key: ada.id }),
        expect.objectContaining({ limit: 'totp_in_a_row', key: ada.id }),
      ],
    })
    expect(await here.totp.isEnrolled!(ada)).toBe(false)
    expect(await signInWith(codeNow(secret))).toBe('wrong')
  })

  test('is turned off once, however many ask', async () => {
    await enrolled()
    const asked = Array.from({ length: 4 }, (_, index) => {
      const house = town.houses[index % 2]!
      return act(house, house.totp, { user: ada, name: 'remove' })
    })
    const answers = await Promise.allSettled(asked)
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const [refused] = answers.filter((answer) => answer.status === 'rejected')
    expect(refused!.reason).toMatchObject({ status: 409 })
  })

  test('is only the person’s own', async () => {
    await enrolled()
    const grace = await newPerson(here, 'grace@example.test')
    await expect(act(here, here.totp, { user: grace, name: 'remove' })).rejects.toMatchObject({ status: 409 })
    expect(await here.totp.isEnrolled!(ada)).toBe(true)
  })
})

describe('T044: a person with an app', () => {
  test('signs in with a code once, and with nothing older afterwards', async () => {
    const secret = await enrolled()
    const late = codeOf(secret, town.clock.step - 1)
    const code = codeNow(secret)
    expect(await signInWith(code)).toMatchObject({ user: { id: ada.id } })
    expect(await signInWith(code, elsewhere)).toBe('replayed')
    expect(await signInWith(late)).toBe('replayed')
    town.clock.step++
    expect(await signInWith(code)).toBe('replayed')
    expect(await signInWith(codeNow(secret))).toMatchObject({ user: { id: ada.id } })
  })

  test('cannot sign in with the code that confirmed the app', async () => {
    const secret = secretOn(await begin())
    changed(await confirm(codeNow(secret)))
    expect(await signInWith(codeNow(secret))).toBe('replayed')
  })

  test('is told the same of a used code and of a wrong one', async () => {
    const secret = await enrolled()
    const code = codeNow(secret)
    await signInWith(code)
    const [used, wrong] = await Promise.all(
      [code, wrongCode(secret)].map((typed) => here.totp.verify(attemptOf(ada, typed))),
    )
    expect([used, wrong]).toMatchObject([{ reason: 'replayed' }, { reason: 'wrong' }])
    expect((used as { errors: object }).errors).toEqual((wrong as { errors: object }).errors)
  })

  test('gets nothing looked at that is no code', async () => {
    await enrolled()
    for (const typed of ['', '1', '12345', '1234567', '１２３４５６', '0x1234'])
      expect(await signInWith(typed)).toBe('incomplete')
  })

  test('R039: is judged by our clock, one step early or late', async () => {
    const secret = await enrolled()
    const now = town.clock.step
    for (const step of [now - 2, now + 2]) expect(await signInWith(codeOf(secret, step))).toBe('wrong')
    for (const step of [now - 1, now, now + 1])
      expect(await signInWith(codeOf(secret, step))).toMatchObject({ isNew: false })
  })

  test('gets in once with one code sent ten times to two instances', async () => {
    const secret = await enrolled()
    const code = codeNow(secret)
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) => town.houses[index % 2]!.totp.verify(attemptOf(ada, code))),
    )
    expect(outcomes).toEqual(Array(10).fill(expect.objectContaining({ ok: true, amr: ['otp', 'app'] })))
    const persons = await Promise.all(
      outcomes.map((outcome, index) => claim(town.houses[index % 2]!, outcome)),
    )
    expect(persons.filter(Boolean)).toHaveLength(1)
  })

  test('can use a code again when the sign-in that claimed it came to nothing', async () => {
    const secret = await enrolled()
    const outcome = await here.totp.verify(attemptOf(ada, codeNow(secret)))
    const failing = here.scope.transaction(async () => {
      await claim(here, outcome)
      throw new Error('no session')
    })
    await expect(failing).rejects.toThrow('no session')
    expect(await signInWith(codeNow(secret), elsewhere)).toMatchObject({ isNew: false })
  })

  test('keeps it over a new SECRET_KEY, and needs the old one no more once a code was used', async () => {
    const secret = await enrolled()
    const newKey = randomBytes(32)
    const both = town.house(town.first, [newKey, KEY])
    expect(await signIn(both, both.totp, { user: ada, code: codeNow(secret) })).toMatchObject({
      isNew: false,
    })
    town.clock.step++
    const alone = town.house(town.first, [newKey])
    expect(await signIn(alone, alone.totp, { user: ada, code: codeNow(secret) })).toMatchObject({
      isNew: false,
    })
  })
})

test('T045: a hundred wrong codes at two instances are five tries of one budget, which a right one resets', async () => {
  const config = readConfig({}).policy.limits
  const limits = town.databases.map(({ pool }) => createLimits(pool, config, silentLog))
  const tryOf = (method: SignInMethod, network: number) => method.allowances(attemptOf(ada, ''), `${network}`)
  const take = (network: number) => limits[network % 2]!.takeAll(tryOf(here.totp, network))
  const succeed = (method: SignInMethod) =>
    Promise.all(tryOf(method, 1).map((allowance) => limits[0]!.succeed(allowance)))

  const taken = await Promise.all(Array.from({ length: 100 }, (_, network) => take(network)))
  expect(taken.filter(({ ok }) => ok)).toHaveLength(5)
  expect((await limits[0]!.takeAll(tryOf(here.recovery, 1))).ok).toBe(true)
  await succeed(here.recovery)
  expect((await take(200)).ok).toBe(false)
  await succeed(here.totp)
  expect((await take(201)).ok).toBe(true)
})

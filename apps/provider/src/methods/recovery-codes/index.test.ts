import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  act,
  attemptOf,
  changed,
  claim,
  codesOn,
  type House,
  newPerson,
  openHouses,
  secretOn,
  signIn,
} from '../../../test/support/second-factors.ts'
import { digest } from '../../lib/digest.ts'
import type { User } from '../../users/user.ts'
import { codeOf } from '../totp/code.ts'

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

/** The codes that come with the person's first second factor. */
async function firstCodes(user = ada) {
  const secret = secretOn(await act(here, here.totp, { user, name: 'begin' }))
  const code = codeOf(secret, town.clock.step)
  return codesOn(changed(await act(here, here.totp, { user, name: 'confirm', code })).page)
}
const renew = (house = here, user = ada) => act(house, house.recovery, { user, name: 'renew' })
const signInWith = (code: string, house = here) => signIn(house, house.recovery, { user: ada, code })
const isLetIn = expect.objectContaining({ isNew: false })
const panelOf = async () => {
  const attempt = {
    user: ada,
    fields: () => '',
    action: '',
    csrf: '',
    place: '',
    doneUrl: '/account/security',
  }
  return (await here.recovery.manage!.panel(attempt)).data
}

describe('T050: recovery codes', () => {
  test('are ten, each let their owner in once, and the owner hears of it', async () => {
    const codes = await firstCodes()
    expect(codes).toHaveLength(10)
    for (const [index, code] of codes.entries()) {
      const left = 9 - index
      expect(await signInWith(code, town.houses[index % 2])).toEqual({
        user: ada,
        isNew: false,
        notice: {
          event: { type: 'recovery_codes.used', userId: ada.id, left },
          letter: { kind: 'recovery_code_used', left, forgotUrl: 'https://id.example/forgot' },
        },
      })
      expect(await signInWith(code, town.houses[index % 2])).toBe('wrong')
    }
    expect(await here.recovery.isEnrolled!(ada)).toBe(false)
  })

  test('are nowhere in the database, only what is made of them', async () => {
    const codes = await firstCodes()
    const { rows } = await town.first.pool.query('select credentials::text from credentials')
    const stored = JSON.stringify(rows)
    for (const code of codes) {
      const plain = code.replaceAll('-', '')
      for (const form of [code, plain, plain.toLowerCase(), Buffer.from(plain).toString('base64')])
        expect(stored).not.toContain(form)
      expect(stored).toContain(digest(plain))
    }
  })

  test('may be typed as they were read', async () => {
    const [first, second] = await firstCodes()
    expect(await signInWith(first!.toLowerCase().replaceAll('-', ' '))).toEqual(isLetIn)
    const alike = second!.replaceAll('0', 'o').replaceAll('1', 'l').replaceAll('-', '–')
    expect(await signInWith(alike)).toEqual(isLetIn)
  })

  test('are only their owner’s', async () => {
    const [code] = await firstCodes()
    const grace = await newPerson(here, 'grace@example.test')
    expect(await signIn(here, here.recovery, { user: grace, code: code! })).toBe('wrong')
    expect(await signInWith(code!)).toEqual(isLetIn)
  })

  test('that cannot be one are no try', async () => {
    const [code] = await firstCodes()
    for (const typed of ['', '123456', code!.slice(1), `${code}0`, code!.replace(/^./, 'U')])
      expect(await signInWith(typed)).toBe('incomplete')
    expect(await signInWith('0'.repeat(24))).toBe('wrong')
  })

  test('let in once, sent ten times to two instances', async () => {
    const [code] = await firstCodes()
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        town.houses[index % 2]!.recovery.verify(attemptOf(ada, code!)),
      ),
    )
    expect(outcomes).toEqual(Array(10).fill(expect.objectContaining({ ok: true, amr: ['otp', 'recovery'] })))
    const persons = await Promise.all(
      outcomes.map((outcome, index) => claim(town.houses[index % 2]!, outcome)),
    )
    expect(persons.filter(Boolean)).toHaveLength(1)
  })

  test('are good again when the sign-in that claimed one came to nothing', async () => {
    const [code] = await firstCodes()
    const outcome = await here.recovery.verify(attemptOf(ada, code!))
    const failing = here.scope.transaction(async () => {
      await claim(here, outcome)
      throw new Error('no session')
    })
    await expect(failing).rejects.toThrow('no session')
    expect(await signInWith(code!, elsewhere)).toEqual(isLetIn)
  })
})

describe('new recovery codes', () => {
  test('end the old ones, also one that was looked at already', async () => {
    const [first, second] = await firstCodes()
    const outcome = await here.recovery.verify(attemptOf(ada, first!))
    const change = changed(await renew(elsewhere))
    expect(change).toMatchObject({
      event: { type: 'recovery_codes.generated', userId: ada.id },
      letter: { kind: 'factor_added' },
    })
    expect(await claim(here, outcome)).toBeNull()
    expect(await signInWith(second!)).toBe('wrong')
    expect(await signInWith(codesOn(change.page)[0]!)).toEqual(isLetIn)
  })

  test('are one set of ten, asked for ten times at once', async () => {
    await firstCodes()
    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => renew(town.houses[index % 2])))
    const sets = answers.map((answer) => codesOn(changed(answer).page))
    const rows = await town.first.prisma.credential.findMany({ where: { type: 'recovery-codes' } })
    expect(rows).toHaveLength(10)
    const kept = rows.map(({ identifier }) => identifier).sort()
    const digests = sets.map((set) => set.map((code) => digest(code.replaceAll('-', ''))).sort())
    expect(digests).toContainEqual(kept)
  })

  test('are not made for whoever has nothing they could stand in for', async () => {
    await expect(renew()).rejects.toMatchObject({ status: 409 })
    expect(await here.recovery.isEnrolled!(ada)).toBe(false)
    expect(await panelOf()).toMatchObject({ isNeeded: false })
  })

  test('are asked for when three are left', async () => {
    const codes = await firstCodes()
    for (const code of codes.slice(0, 6)) await signInWith(code)
    expect(await panelOf()).toMatchObject({ isNeeded: true, left: 4, isLow: false })
    await signInWith(codes[6]!)
    expect(await panelOf()).toMatchObject({ left: 3, isLow: true })
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { meetAtRow } from '../../../test/support/account.ts'
import {
  type House,
  leaveAddress,
  letTimePass,
  newPerson,
  openHouses,
  TOLD,
} from '../../../test/support/recoveries.ts'
import { DAY, HOUR } from '../../lib/clock.ts'
import type { Content } from '../../mail/letter.ts'
import { ChangedMeanwhile } from '../../users/store.ts'
import type { User } from '../../users/user.ts'
import type { Running } from './recoveries.ts'

let town: Awaited<ReturnType<typeof openHouses>>
let here: House
let elsewhere: House
let ada: User

beforeAll(async () => {
  town = await openHouses()
  ;[here, elsewhere] = town.houses
})
afterAll(() => town.drop())
beforeEach(async () => {
  await town.database.pool.query('truncate users, challenges, letters, audit_events cascade')
  ada = await newPerson(here)
})

const ask = (house = here) => house.recoveries.ask(ada, TOLD)
const pass = (ms: number) => letTimePass(town.database, ms)
const now = async () => (await here.users.findUser(ada.id))!
const find = async (house = here) => house.recoveries.find((await house.users.findUser(ada.id))!)
async function running(): Promise<Running> {
  return { user: await now(), recovery: (await find())! }
}
const types = async () => (await here.users.listCredentialTypes(ada.id)).sort()
const ALL = ['passkey', 'password', 'recovery-codes', 'totp']
const trail = async () =>
  (await town.database.prisma.auditEvent.findMany({ orderBy: { id: 'asc' } })).map(({ type }) => type)

/** As the job does, at every instance. */
const tellAll = async () => {
  const ids = await here.recoveries.listDue(100)
  const told = await Promise.all(
    [here, elsewhere].flatMap(({ recoveries }) => ids.map((id) => recoveries.tellDue(id))),
  )
  return told.filter(Boolean).length
}
const kinds = async () => (await town.letters()).map(({ to, content }) => `${content.kind} ${to}`)
const tokenOf = (content: Content, link: 'stopLink' | 'finishLink') =>
  new URL((content as unknown as Record<typeof link, string>)[link]).searchParams.get('token')!
const changePassword = () => here.scope.transaction(() => here.users.advanceGeneration(ada.id))

/** The finishing link, once the wait is over. */
async function becomeReady(): Promise<string> {
  await ask()
  await pass(72 * HOUR)
  await town.forgetLetters()
  expect(await tellAll()).toBe(1)
  const [letter] = (await town.letters()).filter(({ content }) => content.kind === 'recovery_ready')
  return tokenOf(letter!.content, 'finishLink')
}

describe('asking', () => {
  test('opens one that is ready after the wait, and tells the mailbox at once from where', async () => {
    expect(await ask()).toBe(true)
    const recovery = (await find())!
    expect(recovery).toMatchObject({ userId: ada.id, generation: 0, isReady: false })
    expect(recovery.readyAt.getTime() - recovery.askedAt.getTime()).toBe(72 * HOUR)
    expect(recovery.endsAt.getTime() - recovery.readyAt.getTime()).toBe(7 * DAY)
    expect(await town.letters()).toMatchObject([
      { to: ada.email, at: recovery.askedAt, ip: '192.0.2.7', content: { kind: 'recovery_asked' } },
    ])
    expect(await trail()).toEqual(['recovery.asked'])
    expect(await types()).toEqual(ALL)
  })

  test('twice keeps the first clock, and writes nothing', async () => {
    await ask()
    const first = await find()
    await pass(HOUR)
    expect(await ask(elsewhere)).toBe(false)
    const second = (await find())!
    expect(second.id).toBe(first!.id)
    expect(second.askedAt.getTime()).toBe(first!.askedAt.getTime() - HOUR)
    expect(await town.letters()).toHaveLength(1)
  })

  test('ten times at once, at two instances, opens one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => ask(index % 2 ? here : elsewhere)),
    )
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(await town.letters()).toHaveLength(1)
  })

  test('is for people with a proved mailbox and a second factor, where the policy has a wait', async () => {
    const unproved = await newPerson(here, false)
    const single = await newPerson(here)
    for (const type of ['totp', 'passkey', 'recovery-codes'])
      await here.users.removeCredentials(single.id, type)
    const off = town.withWait(0)
    expect(here.recoveries.isOffered(unproved)).toBe(false)
    expect(off.recoveries.isOffered(ada)).toBe(false)
    expect(await here.recoveries.ask(unproved, TOLD)).toBe(false)
    expect(await here.recoveries.ask(single, TOLD)).toBe(false)
    expect(await off.recoveries.ask(ada, TOLD)).toBe(false)
    expect(await town.letters()).toEqual([])
  })

  test('is refused to whoever saw the person before a credential changed', async () => {
    await changePassword()
    await expect(ask()).rejects.toThrow(ChangedMeanwhile)
    expect(await find()).toBeNull()
    expect(await town.letters()).toEqual([])
  })

  test('again after a stop, or after the last one got too old, begins anew', async () => {
    await ask()
    const first = await running()
    await here.recoveries.stop(first, 'session', TOLD)
    expect(await ask()).toBe(true)
    const second = (await find())!
    expect(second.id).not.toBe(first.recovery.id)
    await pass(10 * DAY)
    expect(await find()).toBeNull()
    expect(await ask()).toBe(true)
    expect((await find())!.isReady).toBe(false)
  })
})

describe('while it runs', () => {
  test('every address hears of it each day, one left lately too, each time once', async () => {
    await leaveAddress(here, ada, 'Old.Ada@example.test')
    await ask()
    expect(await tellAll()).toBe(0)
    for (const _ of [1, 2]) {
      await pass(DAY)
      expect(await tellAll()).toBe(1)
      expect(await tellAll()).toBe(0)
    }
    const round = [`recovery_asked ${ada.email}`, 'recovery_asked Old.Ada@example.test']
    expect(await kinds()).toEqual([...round, ...round, ...round])
  })

  test('days on which no instance ran are not made up for', async () => {
    await ask()
    await pass(2.5 * DAY)
    expect(await tellAll()).toBe(1)
    expect(await tellAll()).toBe(0)
  })

  test('the mailbox gets the finishing link once the wait is over, a former address does not', async () => {
    await leaveAddress(here, ada, 'old.ada@example.test')
    await ask()
    await pass(72 * HOUR)
    await town.forgetLetters()
    expect(await tellAll()).toBe(1)
    expect(await kinds()).toEqual([`recovery_ready ${ada.email}`, 'recovery_asked old.ada@example.test'])
    expect((await town.letters())[1]!.content).toMatchObject({ isReady: true })
    await pass(DAY)
    await town.forgetLetters()
    expect(await tellAll()).toBe(1)
    expect(await kinds()).toEqual([`recovery_asked ${ada.email}`, 'recovery_asked old.ada@example.test'])
  })

  test('every letter has a link of its own that stops it, and all of them work', async () => {
    await ask()
    await pass(DAY)
    await tellAll()
    const tokens = (await town.letters()).map(({ content }) => tokenOf(content, 'stopLink'))
    expect(new Set(tokens).size).toBe(2)
    for (const token of tokens)
      expect(await elsewhere.recoveries.findByLink('recovery_stop', token)).toMatchObject({
        user: { id: ada.id },
      })
    expect(await here.recoveries.findByLink('recovery_finish', tokens[0]!)).toBeNull()
    expect(await here.recoveries.findByLink('recovery_stop', '')).toBeNull()
    const rows = JSON.stringify(await town.database.prisma.challenge.findMany())
    for (const token of tokens) expect(rows).not.toContain(token)
  })

  test('whatever changes a credential ends it, and nobody hears of it any more', async () => {
    const token = await becomeReady()
    await changePassword()
    expect((await now()).isRecovering).toBe(false)
    expect(await find()).toBeNull()
    expect(await here.recoveries.findByLink('recovery_finish', token)).toBeNull()
    await pass(DAY)
    expect(await here.recoveries.listDue(100)).toEqual([])
  })

  test('an operator who turns it off ends all of them', async () => {
    const token = await becomeReady()
    const off = town.withWait(0)
    expect(await off.recoveries.find(await now())).toBeNull()
    expect(await off.recoveries.findByLink('recovery_finish', token)).toBeNull()
    expect(await off.recoveries.listDue(100)).toEqual([])
  })

  test('a disabled account has none', async () => {
    const token = await becomeReady()
    await pass(DAY)
    await town.database.pool.query('update users set disabled_at = now() where id = $1', [ada.id])
    expect(await here.recoveries.findByLink('recovery_finish', token)).toBeNull()
    expect(await here.recoveries.listDue(100)).toEqual([])
  })
})

describe('stopping', () => {
  test('ends it once, for everybody, and every address hears of it', async () => {
    await leaveAddress(here, ada, 'old.ada@example.test')
    const token = await becomeReady()
    await town.forgetLetters()
    const one = await running()
    expect(await here.recoveries.stop(one, 'letter', TOLD)).toBe(true)
    expect(await elsewhere.recoveries.stop(one, 'session', TOLD)).toBe(false)
    expect(await kinds()).toEqual([`recovery_stopped ${ada.email}`, 'recovery_stopped old.ada@example.test'])
    expect(await trail()).toEqual(['recovery.asked', 'recovery.stopped'])
    expect((await now()).isRecovering).toBe(false)
    expect(await here.recoveries.findByLink('recovery_finish', token)).toBeNull()
    expect(await here.recoveries.finish(one, TOLD)).toBe(false)
    expect(await types()).toEqual(ALL)
    await pass(DAY)
    expect(await here.recoveries.listDue(100)).toEqual([])
  })

  test('does not stop the next one with the link of the last', async () => {
    await ask()
    const [letter] = await town.letters()
    await here.recoveries.stop(await running(), 'session', TOLD)
    await ask()
    const token = tokenOf(letter!.content, 'stopLink')
    expect(await here.recoveries.findByLink('recovery_stop', token)).toBeNull()
  })
})

describe('finishing', () => {
  test('is impossible before the wait is over', async () => {
    await ask()
    await pass(72 * HOUR - 60_000)
    const early = await running()
    expect(early.recovery.isReady).toBe(false)
    expect(await here.recoveries.finish(early, TOLD)).toBe(false)
    expect(await types()).toEqual(ALL)
    expect((await find())!.id).toBe(early.recovery.id)
  })

  test('takes every second factor, leaves the password, ends a generation, and is told to every address', async () => {
    await leaveAddress(here, ada, 'old.ada@example.test')
    const token = await becomeReady()
    await town.forgetLetters()
    const found = (await elsewhere.recoveries.findByLink('recovery_finish', token))!
    expect(await elsewhere.recoveries.finish(found, TOLD)).toBe(true)
    expect(await types()).toEqual(['password'])
    expect(await now()).toMatchObject({ generation: 1, isRecovering: false })
    expect(await kinds()).toEqual([`recovery_done ${ada.email}`, 'recovery_done old.ada@example.test'])
    expect(await trail()).toEqual(['recovery.asked', 'recovery.completed'])
    expect(await here.recoveries.findByLink('recovery_finish', token)).toBeNull()
  })

  test('ten times at once, at two instances, happens once', async () => {
    await becomeReady()
    const one = await running()
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 ? here : elsewhere).recoveries.finish(one, TOLD)),
    )
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(await now()).toMatchObject({ generation: 1 })
    expect((await trail()).filter((type) => type === 'recovery.completed')).toHaveLength(1)
  })

  test('and stopping at the same time: one of them, and all is as that one says', async () => {
    for (const order of [0, 1]) {
      await town.database.pool.query('truncate users, challenges, letters, audit_events cascade')
      ada = await newPerson(here)
      await becomeReady()
      const one = await running()
      const acts = [
        () => here.recoveries.finish(one, TOLD),
        () => elsewhere.recoveries.stop(one, 'session', TOLD),
      ]
      if (order) acts.reverse()
      const start = () => acts.map((act) => act())
      const answers = town.database.embedded
        ? await Promise.all(start())
        : await meetAtRow(town, { table: 'challenges', id: one.recovery.id }, start)
      expect(answers.filter(Boolean)).toHaveLength(1)
      const isFinished = answers[order] === true
      expect(await types()).toEqual(isFinished ? ['password'] : ALL)
      expect(await now()).toMatchObject({ generation: isFinished ? 1 : 0, isRecovering: false })
      expect(await trail()).toEqual([
        'recovery.asked',
        isFinished ? 'recovery.completed' : 'recovery.stopped',
      ])
    }
  })

  test('is refused where a credential changes in the same moment, and nothing of it is kept', async () => {
    await becomeReady()
    await here.scope.run(async () => {
      const one = await running()
      await elsewhere.database.pool.query('update users set generation = generation + 1 where id = $1', [
        ada.id,
      ])
      await expect(here.recoveries.finish(one, TOLD)).rejects.toThrow(ChangedMeanwhile)
    })
    expect(await types()).toEqual(ALL)
    expect(await now()).toMatchObject({ generation: 1 })
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork, type UnitOfWork } from '../db/unit-of-work.ts'
import { DAY, HOUR } from '../lib/clock.ts'
import { parseEmail } from '../lib/email.ts'
import { randomToken } from '../lib/ids.ts'
import { createDeviceStore, type DeviceStore } from './devices.store.ts'
import { createUserStore } from './store.ts'
import type { User } from './user.ts'

const LIFETIME = 30 * DAY
const now = () => new Date()

let testDatabase: TestDatabase
let database: Database
let scope: UnitOfWork
let devices: DeviceStore
let ada: User
let eve: User
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  database = await testDatabase.open()
  scope = createUnitOfWork(database)
  devices = createDeviceStore(scope, now, LIFETIME)
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  await database.prisma.user.deleteMany()
  const users = createUserStore(scope, now)
  const person = (email: string) =>
    users.createUser({ email: parseEmail(email)!, name: null, credential: null, confirmed: true })
  ada = await person('ada@example.test')
  eve = await person('eve@example.test')
})

/** A browser is trusted; the secret it holds from then on. */
async function trust(user: User, held: string[] = [], userAgent = 'a browser'): Promise<string> {
  const secret = randomToken()
  await devices.trust(user, { secret, held, userAgent })
  return secret
}
const age = (ms: number) =>
  database.pool.query(`update credentials set created_at = created_at - $1 * interval '1 ms'`, [ms])
const changed = (user: User): User => ({ ...user, generation: user.generation + 1 })
const rows = () => database.prisma.credential.count()

describe('a device', () => {
  test('is trusted by its secret, for its person, as they are now', async () => {
    const secret = await trust(ada)
    expect(await devices.isTrusted(ada, [randomToken(), secret])).toBe(true)
    expect(await devices.isTrusted(eve, [secret])).toBe(false)
    expect(await devices.isTrusted(changed(ada), [secret])).toBe(false)
    expect(await devices.isTrusted(ada, [randomToken()])).toBe(false)
    expect(await devices.isTrusted(ada, [])).toBe(false)
  })

  test('keeps no secret in the database', async () => {
    const secret = await trust(ada)
    expect(JSON.stringify(await database.prisma.credential.findMany(), jsonable)).not.toContain(secret)
  })

  test('is trusted for as long as the setting says', async () => {
    const secret = await trust(ada)
    await age(LIFETIME - HOUR)
    expect(await devices.isTrusted(ada, [secret])).toBe(true)
    await age(2 * HOUR)
    expect(await devices.isTrusted(ada, [secret])).toBe(false)
    expect(await devices.listDevices(ada, [secret])).toEqual([])
  })

  test('is never trusted where the setting says so', async () => {
    const secret = await trust(ada)
    const off = createDeviceStore(scope, now, 0)
    expect(await off.isTrusted(ada, [secret])).toBe(false)
    expect(await off.listDevices(ada, [secret])).toEqual([])
  })

  test('is there with the unit it belongs to, or not at all', async () => {
    const secret = randomToken()
    const failing = scope.run(async () => {
      await devices.trust(ada, { secret, held: [], userAgent: '' })
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await rows()).toBe(0)
    await scope.run(() => devices.trust(ada, { secret, held: [], userAgent: '' }))
    expect(await devices.isTrusted(ada, [secret])).toBe(true)
  })
})

describe('trusting one', () => {
  test('takes the place of what this browser had, and of nobody else’s', async () => {
    const [old, elsewhere, hers] = [await trust(ada), await trust(ada), await trust(eve)]
    const fresh = await trust(ada, [hers, old])
    expect(await devices.isTrusted(ada, [old])).toBe(false)
    expect(await devices.isTrusted(ada, [fresh])).toBe(true)
    expect(await devices.isTrusted(ada, [elsewhere])).toBe(true)
    expect(await devices.isTrusted(eve, [hers])).toBe(true)
  })

  test('clears away what stands in no more', async () => {
    await trust(ada)
    await trust(changed(ada))
    expect(await rows()).toBe(1)
    await age(LIFETIME + HOUR)
    await trust(changed(ada))
    expect(await rows()).toBe(1)
  })

  test('keeps the twenty newest', async () => {
    const secrets = []
    for (let count = 0; count < 21; count++) secrets.push(await trust(ada))
    expect(await devices.isTrusted(ada, [secrets[0]!])).toBe(false)
    expect(await devices.isTrusted(ada, [secrets[1]!])).toBe(true)
    expect(await devices.listDevices(ada, [])).toHaveLength(20)
  })

  test('touches no other credential', async () => {
    const credential = { id: 'crd_1', userId: ada.id, type: 'password', data: {} }
    await database.prisma.credential.create({ data: credential })
    await trust(ada)
    await devices.forgetAll(ada.id)
    expect(await database.prisma.credential.findMany({ select: { type: true } })).toEqual([
      { type: 'password' },
    ])
  })
})

describe('the list', () => {
  test('names the newest first, until when, and which one is this', async () => {
    const secret = await trust(ada, [], 'one')
    await trust(ada, [], 'x'.repeat(1000))
    await trust(eve)
    const [other, own] = await devices.listDevices(ada, [secret])
    expect(own).toMatchObject({ userAgent: 'one', isThis: true })
    expect(other).toMatchObject({ userAgent: 'x'.repeat(300), isThis: false })
    expect(own!.until.getTime() - own!.trustedAt.getTime()).toBe(LIFETIME)
    expect(await devices.listDevices(changed(ada), [secret])).toEqual([])
  })

  test('a device is forgotten by its person alone', async () => {
    const secret = await trust(ada)
    const [{ id } = { id: '' }] = await devices.listDevices(ada, [])
    expect(await devices.forget(eve.id, id)).toBe(false)
    expect(await devices.isTrusted(ada, [secret])).toBe(true)
    expect(await devices.forget(ada.id, id)).toBe(true)
    expect(await devices.forget(ada.id, id)).toBe(false)
    expect(await devices.isTrusted(ada, [secret])).toBe(false)
  })

  test('all of one person’s are forgotten, and nobody else’s', async () => {
    const [one, other, hers] = [await trust(ada), await trust(ada), await trust(eve)]
    expect(await devices.forgetAll(ada.id)).toHaveLength(2)
    expect(await devices.isTrusted(ada, [one, other])).toBe(false)
    expect(await devices.isTrusted(eve, [hers])).toBe(true)
  })
})

const jsonable = (_: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)

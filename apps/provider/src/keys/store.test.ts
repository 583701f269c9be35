import { createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork } from '../db/unit-of-work.ts'
import { HOUR } from '../lib/clock.ts'
import { createSealer } from '../lib/seal.ts'
import { createKeyStore } from './store.ts'

const NOON = new Date('2030-01-01T12:00:00Z')
const SECRET = randomBytes(32)

let testDatabase: TestDatabase
let database: Database
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  database = await testDatabase.open()
})
afterAll(() => testDatabase.drop())
beforeEach(() => database.prisma.key.deleteMany())

const storeOn = (database: Database, { at = NOON, secrets = [SECRET] } = {}) =>
  createKeyStore({ scope: createUnitOfWork(database), sealer: createSealer(secrets), now: () => at })

const rows = () => database.prisma.key.findMany({ orderBy: { id: 'asc' } })
const kids = async (at: Date) => (await storeOn(database, { at }).loadKeyring()).signing.map(({ kid }) => kid)
const later = (hours: number) => new Date(NOON.getTime() + hours * HOUR)

describe('the first start', () => {
  test('makes one key of each kind', async () => {
    const keys = storeOn(database)
    await keys.ensureKeys()
    const { signing, cookies } = await keys.loadKeyring()
    expect(signing.map(({ alg, use }) => [alg, use]).sort()).toEqual([
      ['ES256', 'sig'],
      ['RS256', 'sig'],
    ])
    expect(cookies).toEqual([expect.stringMatching(/^[\w-]{43}$/)])
    expect(Buffer.from(String(signing.find(({ alg }) => alg === 'RS256')?.n), 'base64url')).toHaveLength(256)
  })

  test('by three instances at once makes one set of keys, the same for all', async () => {
    const instance = async () => storeOn(testDatabase.url ? await testDatabase.open() : database)
    const instances = await Promise.all([instance(), instance(), instance()])
    await Promise.all(instances.map((keys) => keys.ensureKeys()))
    expect((await rows()).map(({ alg }) => alg).sort()).toEqual(['ES256', 'HS256', 'RS256'])
    const [first, ...others] = await Promise.all(instances.map((keys) => keys.loadKeyring()))
    for (const other of others) expect(other).toEqual(first)
  })

  test('is not repeated', async () => {
    await storeOn(database).ensureKeys()
    const before = await rows()
    await storeOn(database, { at: later(1) }).ensureKeys()
    expect(await rows()).toEqual(before)
  })
})

describe('a private key', () => {
  beforeEach(() => storeOn(database).ensureKeys())

  test('is not in the table: only its public part and what is sealed', async () => {
    const { signing, cookies } = await storeOn(database).loadKeyring()
    const table = (await rows())
      .map((row) => JSON.stringify(row) + Buffer.from(row.sealed).toString('latin1'))
      .join()
    for (const secret of [...signing.map(({ d }) => String(d)), ...cookies])
      expect(table).not.toContain(secret)
    for (const { alg, publicJwk } of await rows()) {
      if (alg === 'HS256') expect(publicJwk).toBeNull()
      else
        expect(Object.keys(publicJwk as object).sort()).toEqual(
          alg === 'RS256' ? ['e', 'kty', 'n'] : ['crv', 'kty', 'x', 'y'],
        )
    }
  })

  test('signs what its published part verifies', async () => {
    const { signing } = await storeOn(database).loadKeyring()
    const message = Buffer.from('message')
    for (const row of await rows()) {
      const jwk = signing.find(({ kid }) => kid === row.id)
      if (!jwk) continue
      const signature = sign('sha256', message, { key: jwk, format: 'jwk' })
      const published = createPublicKey({ key: row.publicJwk as Record<string, string>, format: 'jwk' })
      expect(verify('sha256', message, published, signature)).toBe(true)
    }
  })

  test('is bound to its row: put into another it does not open', async () => {
    const [one, other] = await rows()
    await database.prisma.key.update({ where: { id: one!.id }, data: { sealed: other!.sealed } })
    await expect(storeOn(database).loadKeyring()).rejects.toThrow()
  })

  test('does not open under another SECRET_KEY, and the operator is told so', async () => {
    const stranger = storeOn(database, { secrets: [randomBytes(32)] })
    await expect(stranger.loadKeyring()).rejects.toThrow('SECRET_KEY')
  })

  test('still opens after SECRET_KEY was rotated with the old one kept behind the new', async () => {
    const before = await storeOn(database).loadKeyring()
    expect(await storeOn(database, { secrets: [randomBytes(32), SECRET] }).loadKeyring()).toEqual(before)
  })
})

test('a key sealed under an older SECRET_KEY is sealed anew, and the older one can be dropped', async () => {
  await storeOn(database).ensureKeys()
  const before = await storeOn(database).loadKeyring()
  const newer = randomBytes(32)
  await storeOn(database, { secrets: [newer, SECRET] }).resealKeys()
  expect(await storeOn(database, { secrets: [newer] }).loadKeyring()).toEqual(before)
  await expect(storeOn(database).loadKeyring()).rejects.toThrow()
})

describe('T112: rotation', () => {
  test('announces a key behind those that sign, and puts it in front when its time has come', async () => {
    const keys = storeOn(database)
    const first = await keys.createKey('ES256', NOON)
    const second = await keys.createKey('ES256', later(24))
    expect(await kids(NOON)).toEqual([first, second])
    expect(await kids(later(23))).toEqual([first, second])
    expect(await kids(later(24))).toEqual([second, first])
  })

  test('keeps every key that has signed, newest first', async () => {
    const keys = storeOn(database)
    const first = await keys.createKey('ES256', NOON)
    const third = await keys.createKey('ES256', later(2))
    const second = await keys.createKey('ES256', later(1))
    expect(await kids(later(3))).toEqual([third, second, first])
  })

  test('of cookie keys signs with the newest and still knows the older', async () => {
    await storeOn(database).createKey('HS256', NOON)
    const [older] = (await storeOn(database).loadKeyring()).cookies
    await storeOn(database).createKey('HS256', later(1))
    const { cookies } = await storeOn(database, { at: later(1) }).loadKeyring()
    expect(cookies).toHaveLength(2)
    expect(cookies[1]).toBe(older)
  })

  test('changes the version when a key is made and again when its time has come, and at no other moment', async () => {
    const keys = storeOn(database)
    await keys.createKey('ES256', NOON)
    const version = (hours: number) => storeOn(database, { at: later(hours) }).loadVersion()
    const before = await version(0)
    expect(await version(20)).toBe(before)
    await keys.createKey('ES256', later(24))
    const announced = await version(0)
    expect(announced).not.toBe(before)
    expect(await version(23)).toBe(announced)
    const active = await version(24)
    expect(active).not.toBe(announced)
    expect(await version(48)).toBe(active)
    expect((await storeOn(database, { at: later(24) }).loadKeyring()).version).toBe(active)
  })
})

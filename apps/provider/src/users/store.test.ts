import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork, type Scope } from '../db/unit-of-work.ts'
import { parseEmail } from '../lib/email.ts'
import { AddressTaken, createUserStore, type UserStore } from './store.ts'
import type { User } from './user.ts'

const CREDENTIAL = { type: 'password', data: { hash: '$argon2id$…' } }

let testDatabase: TestDatabase
let databases: [Database, Database]
let scope: Scope
let users: UserStore
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  const first = await testDatabase.open()
  databases = [first, testDatabase.url ? await testDatabase.open() : first]
  scope = createUnitOfWork(first)
  users = createUserStore(scope, () => new Date())
})
afterAll(() => testDatabase.drop())
beforeEach(() => databases[0].prisma.user.deleteMany())

const person = (email = 'Ada@Example.test', name: string | null = 'Ada Lovelace') => ({
  email: parseEmail(email)!,
  name,
  credential: CREDENTIAL,
  confirmed: false,
})
const taken = (user: Promise<User>) => expect(user).rejects.toThrow(AddressTaken)
const count = async () => ({
  users: await scope.client.user.count(),
  credentials: await scope.client.credential.count(),
})

describe('a new person', () => {
  test('is found by id and by the canonical form of the address, with the address as they wrote it', async () => {
    const user = await users.createUser(person())
    expect(user).toEqual({
      id: expect.stringMatching(/^usr_[0-9a-f]{32}$/),
      email: 'Ada@example.test',
      emailVerified: false,
      name: 'Ada Lovelace',
      generation: 0,
      isRecovering: false,
    })
    expect(await users.findUser(user.id)).toEqual(user)
    expect(await users.findUserByEmail('ada@example.test')).toEqual(user)
    expect(await users.findUserByEmail('Ada@example.test')).toBeNull()
  })

  test('comes with the credential, of which the method gets back what it stored', async () => {
    const user = await users.createUser(person())
    const [credential, ...others] = await users.listCredentials(user.id, 'password')
    expect(credential).toMatchObject({ id: expect.stringMatching(/^crd_/), userId: user.id, ...CREDENTIAL })
    expect(others).toEqual([])
    expect(await users.listCredentials(user.id, 'passkey')).toEqual([])
    await users.updateCredential(credential!.id, { hash: 'newer' })
    expect(await users.listCredentials(user.id, 'password')).toMatchObject([{ data: { hash: 'newer' } }])
  })

  test('a hash made anew at sign-in is lost where the password was changed meanwhile, and harms nobody', async () => {
    const user = await users.createUser(person('ada@example.test'))
    const [old] = await users.listCredentials(user.id, 'password')
    await users.replaceCredential(user.id, { type: 'password', data: { hash: 'of another password' } })
    await users.updateCredential(old!.id, { hash: 'of the old one, made anew' })
    expect(await users.listCredentials(user.id, 'password')).toMatchObject([
      { data: { hash: 'of another password' } },
    ])
  })

  test('may have no name', async () => {
    expect(await users.createUser(person('ada@example.test', null))).toMatchObject({ name: null })
  })

  test('is not made when the address has an account, however it is written, and nothing of it is kept', async () => {
    await users.createUser(person('ada@example.test'))
    await taken(users.createUser(person('ADA@EXAMPLE.TEST', 'Mallory')))
    expect(await count()).toEqual({ users: 1, credentials: 1 })
    expect(await users.findUserByEmail('ada@example.test')).toMatchObject({ name: 'Ada Lovelace' })
  })

  test('T007: twenty at once with one address, written differently, at two instances, are one', async () => {
    const stores = databases.map((database) => createUserStore(createUnitOfWork(database), () => new Date()))
    const writings = ['ada@example.test', 'ADA@example.test', 'Ada@EXAMPLE.test', 'aDa@example.TEST']
    const made = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => stores[index % 2]!.createUser(person(writings[index % 4]!))),
    )
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await count()).toEqual({ users: 1, credentials: 1 })
  })

  test('is gone with the transaction that made them', async () => {
    const failing = scope.transaction(async () => {
      await users.createUser(person())
      throw new Error('something else of the same change failed')
    })
    await expect(failing).rejects.toThrow('something else')
    expect(await count()).toEqual({ users: 0, credentials: 0 })
  })
})

test('a disabled account is as good as absent, and its address stays taken', async () => {
  const user = await users.createUser(person())
  await scope.client.user.update({ where: { id: user.id }, data: { disabledAt: new Date() } })
  expect(await users.findUser(user.id)).toBeNull()
  expect(await users.findUserByEmail('ada@example.test')).toBeNull()
  await taken(users.createUser(person()))
})

test('an address is verified when there is a time at which it was', async () => {
  const user = await users.createUser(person())
  await scope.client.user.update({ where: { id: user.id }, data: { emailVerifiedAt: new Date() } })
  expect(await users.findUser(user.id)).toMatchObject({ emailVerified: true })
})

test('nobody is found by a text that is no id', async () => {
  for (const id of ['', 'undefined', "' or 1=1 --", 'x'.repeat(100_000)])
    expect(await users.findUser(id)).toBeNull()
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { createUnitOfWork, type UnitOfWork } from '../db/unit-of-work.ts'
import { parseEmail } from '../lib/email.ts'
import { createPasskeyStore, type PasskeyStore } from './passkeys.store.ts'
import { createUserStore } from './store.ts'

let testDatabase: TestDatabase
let scope: UnitOfWork
let store: PasskeyStore
let ada: string
let eve: string

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  scope = createUnitOfWork(await testDatabase.open())
  store = createPasskeyStore(scope, () => new Date())
  const users = createUserStore(scope, () => new Date())
  const person = async (email: string) =>
    (await users.createUser({ email: parseEmail(email)!, name: null, credential: null, confirmed: true })).id
  ada = await person('ada@example.test')
  eve = await person('eve@example.test')
})
afterAll(() => testDatabase.drop())

const add = (userId: string, credentialId: string) =>
  scope.transaction(() => store.addPasskey(userId, { credentialId, data: { name: 'x' }, counter: 0 }, 20))

test('a passkey is changed and removed by its person alone', async () => {
  await add(ada, 'one')
  const { id } = (await store.findPasskey('one'))!
  expect(await store.changePasskey(eve, id, { name: 'mine' })).toBeNull()
  expect(await store.removePasskey(eve, id)).toBeNull()
  expect(await store.changePasskey(ada, id, { name: 'y' })).toMatchObject({ data: { name: 'y' } })
  expect(await store.removePasskey(ada, id)).toMatchObject({ id })
  expect(await store.usePasskey(id, { counter: 1, data: {}, whenBehind: 'use' })).toBeNull()
})

test('a passkey is one person’s, and is added in a transaction', async () => {
  expect(await add(ada, 'two')).toMatchObject({ userId: ada })
  expect(await add(eve, 'two')).toBe('taken')
  const alone = store.addPasskey(eve, { credentialId: 'three', data: {}, counter: 0 }, 20)
  await expect(alone).rejects.toThrow('transaction')
})

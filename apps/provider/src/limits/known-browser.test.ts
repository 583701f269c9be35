import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { readConfig } from '../config.ts'
import { silentLog } from '../lib/log.ts'
import { ofBrowser } from './known-browser.ts'
import { type Allowance, createLimits, type Limits } from './store.ts'

let testDatabase: TestDatabase
let limits: Limits
beforeAll(async () => {
  testDatabase = await createTestDatabase()
  const { pool } = await testDatabase.open()
  const config = { ...readConfig({}).policy.limits, password_pace: { from: 3, first: 0, most: 0 } }
  limits = createLimits(pool, config, silentLog)
})
afterAll(() => testDatabase.drop())

const SHARED: Allowance[] = [
  {
    limit: 'password_in_a_row',
    key: 'ada@example.test',
    pace: 'password_pace',
    endsWithSuccess: true,
  },
  { limit: 'password_per_account', key: 'ada@example.test', endsWithSuccess: true },
  { limit: 'password_per_ip', key: '192.0.2.1' },
]
const exhaust = async (allowances: Allowance[]) => {
  for (let tries = 0; tries < 10; tries++) await limits.fail(await limits.takeAll(allowances))
  return (await limits.takeAll(allowances)).ok
}

test('strangers who lock an account lock nobody out of a browser in which its owner is known', async () => {
  expect(await exhaust(SHARED)).toBe(false)
  expect((await limits.takeAll(ofBrowser('hers', SHARED))).ok).toBe(true)
})

test('a known browser has no more tries than anybody, and no other browser’s', async () => {
  expect(await exhaust(ofBrowser('stolen', SHARED))).toBe(false)
  expect((await limits.takeAll(ofBrowser('another', SHARED))).ok).toBe(true)
})

test('its network has no more tries for that: what is not about the account stays shared', () => {
  expect(ofBrowser('hers', SHARED)[2]).toEqual(SHARED[2])
  expect(ofBrowser(null, SHARED)).toEqual(SHARED)
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../config.ts'
import { DAY, HOUR } from '../lib/clock.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'anteroom-factors-'))
afterAll(() => rmSync(folder, { recursive: true }))

function readPolicy(factors: string, rest = '') {
  const file = path.join(folder, 'config.yaml')
  writeFileSync(file, `policy: { factors: ${factors}${rest} }`)
  return readConfig({ CONFIG_FILE: file }).policy
}

test('without a word everything is as the balanced preset says', () =>
  expect(readConfig({}).policy).toMatchObject({
    factors: {
      preset: 'balanced',
      second_factor_for: 'administrators',
      accepted: ['passkey', 'totp', 'recovery-codes'],
      trusted_device: 0,
      recovery_wait: 72 * HOUR,
    },
    password: { min_length: 10, min_strength: 3 },
  }))

test('each value of a preset can be said otherwise, by itself', () => {
  expect(readPolicy('{ preset: strict, trusted_device: 7d }').factors).toMatchObject({
    second_factor_for: 'everyone',
    trusted_device: 7 * DAY,
    recovery_wait: 0,
  })
  expect(
    readPolicy('{ preset: relaxed, second_factor_for: everyone, recovery_wait: 0s }').factors,
  ).toMatchObject({
    second_factor_for: 'everyone',
    trusted_device: 30 * DAY,
    recovery_wait: 0,
  })
  expect(readPolicy('{ accepted: [recovery-codes, totp] }').factors.accepted).toEqual([
    'totp',
    'recovery-codes',
  ])
})

test.each([
  ['{ preset: relaxed }', 8],
  ['{ preset: balanced }', 10],
  ['{ preset: strict }', 12],
  ['{ preset: nist }', 15],
  ['{ preset: nist, second_factor_for: nobody }', 15],
  ['{ preset: nist, second_factor_for: everyone }', 8],
])('with %s a password has %i code points at least', (factors, length) => {
  expect(readPolicy(factors).password.min_length).toBe(length)
  expect(readPolicy(factors, ', password: { min_length: 20 }').password.min_length).toBe(20)
})

test.each([
  ['{ preset: paranoid }', 'policy.factors.preset'],
  ['{ second_factor_for: admins }', 'policy.factors.second_factor_for'],
  ['{ accepted: [] }', 'policy.factors.accepted'],
  ['{ accepted: [recovery-codes] }', 'policy.factors.accepted'],
  ['{ accepted: [totp, totp] }', 'policy.factors.accepted'],
  ['{ accepted: [sms, totp] }', 'policy.factors.accepted.0'],
  ['{ trusted_device: 31d }', 'policy.factors.trusted_device'],
  ['{ trusted_device: 30 }', 'policy.factors.trusted_device'],
  ['{ recovery_wait: 31d }', 'policy.factors.recovery_wait'],
  ['{ recovery: 72h }', 'policy.factors'],
])('the factors %s are refused by name', (factors, name) => {
  let problems: string[] = []
  try {
    readPolicy(factors)
  } catch (error) {
    if (error instanceof ConfigError) problems = error.problems
  }
  expect(problems.map((problem) => problem.slice(0, problem.indexOf(':')))).toEqual([name])
})

test('an app may ask for a second factor, and says so with yes or no', () => {
  const client = (value: string) => {
    const file = path.join(folder, 'client.yaml')
    writeFileSync(
      file,
      `clients: [{ client_id: bank, token_endpoint_auth_method: none, require_second_factor: ${value} }]`,
    )
    return readConfig({ CONFIG_FILE: file }).clients[0]
  }
  expect(client('true')).toMatchObject({ require_second_factor: true })
  expect(() => client('sometimes')).toThrow('clients.0.require_second_factor')
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../config.ts'
import { HOUR, MINUTE } from '../lib/clock.ts'
import { parseDuration } from '../lib/duration.ts'

const PRODUCTION = {
  NODE_ENV: 'production',
  ISSUER: 'https://id.example.com',
  SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
  DATABASE_URL: 'postgresql://db/anteroom',
  SMTP_URL: 'smtp://mail.example.com',
  MAIL_FROM: 'id@example.com',
}
const DECISION = path.resolve(import.meta.dirname, '../../../../docs/decisions/015-limits.md')

const folder = mkdtempSync(path.join(tmpdir(), 'anteroom-limits-'))
afterAll(() => rmSync(folder, { recursive: true }))

function readLimits(yaml: string) {
  const file = path.join(folder, 'config.yaml')
  writeFileSync(file, `policy: { limits: ${yaml} }`)
  return readConfig({ CONFIG_FILE: file }).policy.limits
}

test('every limit is as the decision’s table says, in production and in development', () => {
  const decision = readFileSync(DECISION, 'utf8')
  const rows = [...decision.matchAll(/^\| `(\w+)` \| (\d[^|]*) \| ([^|]*?) ?\|/gm)]
  const told = (development: boolean) => {
    const cell = ([, name = '', usual = '', here = '']: string[]) => [
      name,
      (development && here ? here : usual).split('; ').map(readWindow),
    ]
    return Object.fromEntries(rows.map(cell))
  }
  const { password_pace, ...limits } = readConfig({}).policy.limits
  expect(limits).toEqual(told(true))
  expect(readConfig(PRODUCTION).policy.limits).toEqual({ ...told(false), password_pace })
  const [, from, first, most] = /`password_pace: \{ from: (\d+), first: (\w+), most: (\w+) \}`/.exec(
    decision,
  )!
  expect(password_pace).toEqual({
    from: Number(from),
    first: parseDuration(first!),
    most: parseDuration(most!),
  })
})

test('a limit may be said in part, whole, or as several windows', () => {
  expect(readLimits('{ password_per_ip: { points: 7 } }').password_per_ip).toEqual([
    { points: 7, per: 5 * MINUTE, block: 0 },
  ])
  expect(readLimits('{ password_per_account: { per: 1m } }').password_per_account).toEqual([
    { points: 10, per: MINUTE, block: 15 * MINUTE },
  ])
  const several = '[{ points: 1, per: 1m }, { points: 2, per: 1h, block: 2h }]'
  expect(readLimits(`{ link_per_ip: ${several} }`).link_per_ip).toEqual([
    { points: 1, per: MINUTE, block: 0 },
    { points: 2, per: HOUR, block: 2 * HOUR },
  ])
  expect(readLimits('{ password_pace: { first: 0s } }').password_pace).toEqual({
    from: 3,
    first: 0,
    most: MINUTE,
  })
})

test.each([
  ['{ password_per_ip: [] }', 'policy.limits.password_per_ip'],
  ['{ password_per_ip: [{ points: 1 }] }', 'policy.limits.password_per_ip.0.per'],
  ['{ password_per_ip: { per: 0s } }', 'policy.limits.password_per_ip.per'],
  ['{ password_per_ip: { points: 1.5 } }', 'policy.limits.password_per_ip.points'],
  ['{ password_per_ip: { block: 30d } }', 'policy.limits.password_per_ip.block'],
  ['{ password_per_ip: 5 }', 'policy.limits.password_per_ip'],
  ['{ password_per_ip: { point: 5 } }', 'policy.limits.password_per_ip'],
  ['{ password_per_address: { points: 5 } }', 'policy.limits'],
  ['{ password_pace: { from: 0 } }', 'policy.limits.password_pace.from'],
])('the limit %s is refused by name', (limits, name) => {
  let problems: string[] = []
  try {
    readLimits(limits)
  } catch (error) {
    if (error instanceof ConfigError) problems = error.problems
  }
  expect(problems.map((problem) => problem.slice(0, problem.indexOf(':')))).toEqual([name])
})

/** `10 in 15m, block 15m` */
function readWindow(text: string) {
  const [, points, per = '', block = '0s'] = /^(\d+) in (\w+)(?:, block (\w+))?$/.exec(text.trim()) ?? []
  return { points: Number(points), per: parseDuration(per), block: parseDuration(block) }
}

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigError, readConfig } from './config.ts'
import { DAY, HOUR, MINUTE, SECOND } from './lib/clock.ts'

const folder = mkdtempSync(join(tmpdir(), 'anteroom-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

const KEY = randomBytes(32).toString('base64')
const PRODUCTION = {
  NODE_ENV: 'production',
  ISSUER: 'https://id.example.com',
  SECRET_KEY: KEY,
  DATABASE_URL: 'postgresql://db/anteroom',
  SMTP_URL: 'smtps://mail.example.com',
  MAIL_FROM: 'Anteroom <no-reply@example.com>',
}

let files = 0
function write(content: string): string {
  const path = join(folder, `file-${++files}`)
  writeFileSync(path, content)
  return path
}

const withFile = (yaml: string, env: Record<string, string> = {}) =>
  readConfig({ CONFIG_FILE: write(yaml), ...env })

function problemsOf(read: () => unknown): string[] {
  try {
    read()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  throw new Error('the settings were accepted')
}

const CLIENT = `
clients:
  - client_id: web
    client_secret: \${WEB_SECRET}
    redirect_uris: ['\${WEB_URL}/callback']
`

describe('without any setting', () => {
  test('a developer gets the documented defaults', () => {
    const config = readConfig({})
    expect(config).toMatchObject({
      ISSUER: 'http://localhost:4000',
      HOST: '127.0.0.1',
      PORT: 4000,
      WEB_CONCURRENCY: 1,
      DATA_DIR: './.data',
      production: false,
    })
    expect(config).toMatchObject({ clients: [], resources: [], branding: { name: 'Anteroom' } })
    expect([config.SECRET_KEY, config.DATABASE_URL, config.TRUSTED_PROXIES]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  test('every lifetime and limit has the default of the security notes', () => {
    const { lifetimes, limits, password } = readConfig({}).policy
    expect(lifetimes).toEqual({
      authorization_code: MINUTE,
      access_token: 10 * MINUTE,
      id_token: 10 * MINUTE,
      refresh_token_public_idle: 14 * DAY,
      refresh_token_public: 30 * DAY,
      refresh_token_confidential_idle: 30 * DAY,
      refresh_token_confidential: 90 * DAY,
      refresh_window: 10 * SECOND,
      grant: 90 * DAY,
      interaction: 15 * MINUTE,
      email_code: 10 * MINUTE,
      passkey_challenge: 5 * MINUTE,
      confirmation: DAY,
      reset_link: 30 * MINUTE,
      address_undo: 7 * DAY,
      fresh_proof: 10 * MINUTE,
      session_idle: DAY,
      session: 7 * DAY,
    })
    expect(limits.password_per_account).toEqual([{ points: 10, per: 15 * MINUTE, block: 15 * MINUTE }])
    expect(limits.password_per_ip).toEqual([
      { points: 30, per: 5 * MINUTE, block: 0 },
      { points: 200, per: DAY, block: 0 },
    ])
    expect(password).toEqual({ min_length: 10, min_strength: 3 })
  })

  test('an empty variable is as good as none', () => {
    expect(readConfig({ ISSUER: '', PORT: '', DATABASE_URL: '', SECRET_KEY: '', CONFIG_FILE: '' }).PORT).toBe(
      4000,
    )
  })
})

describe('mistakes', () => {
  test('are told all together and by name, those of the file as well', () => {
    const yaml = `
PORT: 99999
policy:
  lifetimes: { access_token: 10 minutes, session: 7 }
  limits: { password_per_account: { points: 0 } }
  surprise: true
clients:
  - client_id: web
resources:
  - { audience: not an address, name: API, scopes: { 'a b': text } }
branding: { name: '' }
colour: blue
`
    const problems = problemsOf(() =>
      withFile(yaml, {
        ISSUER: 'http://localhost:4000/',
        SECRET_KEY: 'short',
        TRUSTED_PROXIES: 'everyone',
        LOG_LEVEL: 'loud',
        DATABASE_URL: 'mysql://db',
      }),
    )
    const names = problems.map((problem) => problem.slice(0, problem.indexOf(':')))
    expect(new Set(names)).toEqual(
      new Set([
        'ISSUER',
        'PORT',
        'DATABASE_URL',
        'SECRET_KEY',
        'TRUSTED_PROXIES',
        'LOG_LEVEL',
        'CONFIG_FILE',
        'policy',
        'policy.lifetimes.access_token',
        'policy.lifetimes.session',
        'policy.limits.password_per_account.points',
        'clients.0',
        'resources.0.audience',
        'resources.0.scopes.a b',
        'branding.name',
      ]),
    )
    expect(problems.find((problem) => problem.startsWith('CONFIG_FILE'))).toContain('colour')
    expect(problems.find((problem) => problem.startsWith('policy:'))).toContain('surprise')
  })

  test('make one message with a line for each', () => {
    const read = () => readConfig({ PORT: 'four', LOG_LEVEL: 'loud' })
    expect(read).toThrow(ConfigError)
    expect(read).toThrow(/\n {2}- PORT: .+\n {2}- LOG_LEVEL: /)
  })

  test('never repeat a secret', () => {
    const problems = problemsOf(() =>
      readConfig({ SECRET_KEY: 'hunter2hunter2', DATABASE_URL: 'mysql://root:hunter2@db' }),
    )
    expect(problems).toHaveLength(2)
    expect(problems.join()).not.toContain('hunter2')
  })

  test.each([
    'localhost:4000',
    'http://localhost:4000/',
    'http://localhost:4000/tenant',
    'https://id.example.com?x',
    'HTTPS://id.example.com',
    'https://id.example.com:443',
    'https://me@id.example.com',
    'ftp://id.example.com',
  ])('the issuer %s is none: it must be a bare origin', (ISSUER) =>
    expect(problemsOf(() => readConfig({ ISSUER }))).toEqual([expect.stringMatching(/^ISSUER: /)]),
  )

  test.each(['-1', '65536', 'four', '40.5'])('the port %s is none', (PORT) => {
    expect(problemsOf(() => readConfig({ PORT }))).toEqual([expect.stringMatching(/^PORT: /)])
  })

  test('a configuration file that is missing or no YAML is named', () => {
    expect(problemsOf(() => readConfig({ CONFIG_FILE: join(folder, 'absent') }))).toEqual([
      expect.stringContaining('absent'),
    ])
    expect(problemsOf(() => withFile('clients: [unfinished'))).toEqual([
      expect.stringMatching(/^CONFIG_FILE: /),
    ])
    expect(problemsOf(() => withFile('just a sentence'))).toEqual([expect.stringMatching(/^CONFIG_FILE: /)])
    expect(problemsOf(() => withFile('- a list'))).toEqual([expect.stringMatching(/^CONFIG_FILE: /)])
  })

  test('two clients may not have the same id, nor two APIs the same audience', () => {
    const client = '{ client_id: web, client_secret: sixteen characters }'
    expect(problemsOf(() => withFile(`clients: [${client}, ${client}]`))).toEqual([
      'clients: web is there more than once',
    ])
    const api = '{ audience: "https://api.example.com", name: API, scopes: {} }'
    expect(problemsOf(() => withFile(`resources: [${api}, ${api}]`))).toEqual([
      'resources: https://api.example.com is there more than once',
    ])
  })

  test('a client may not take the name of our own pages', () => {
    const yaml = 'clients: [{ client_id: anteroom-account, token_endpoint_auth_method: none }]'
    expect(problemsOf(() => withFile(yaml))).toEqual([
      expect.stringMatching(/^clients\.0\.client_id: .*our own/),
    ])
  })

  test.each(['0', '-2', '1.5', 'auto'])('WEB_CONCURRENCY=%s is told by name', (WEB_CONCURRENCY) => {
    const env = { WEB_CONCURRENCY, DATABASE_URL: 'postgresql://db/anteroom' }
    expect(problemsOf(() => readConfig(env))).toEqual([expect.stringMatching(/^WEB_CONCURRENCY: /)])
  })

  test('several workers cannot share the embedded database', () => {
    expect(problemsOf(() => readConfig({ WEB_CONCURRENCY: '2' }))).toEqual([
      expect.stringMatching(/^WEB_CONCURRENCY: .*DATABASE_URL/),
    ])
    expect(readConfig({ WEB_CONCURRENCY: '2', DATABASE_URL: 'postgresql://db/anteroom' })).toMatchObject({
      WEB_CONCURRENCY: 2,
    })
    expect(readConfig({ WEB_CONCURRENCY: '1' }).WEB_CONCURRENCY).toBe(1)
  })

  test('a client needs a secret of some length or to say that it has none', () => {
    expect(problemsOf(() => withFile('clients: [{ client_id: web, client_secret: short }]'))[0]).toContain(
      'at least 16',
    )
    expect(problemsOf(() => withFile('clients: [{ client_id: web }]'))[0]).toContain('needs a client_secret')
    expect(withFile('clients: [{ client_id: spa, token_endpoint_auth_method: none }]').clients).toHaveLength(
      1,
    )
  })
})

describe('the configuration file', () => {
  test('may hold settings too, and the environment wins', () => {
    const yaml = 'ISSUER: https://id.example.com\nPORT: 5000\n'
    expect(withFile(yaml)).toMatchObject({ ISSUER: 'https://id.example.com', PORT: 5000 })
    expect(withFile(yaml, { PORT: '6000' })).toMatchObject({ ISSUER: 'https://id.example.com', PORT: 6000 })
  })

  test('may be empty', () => expect(withFile('# nothing yet\n').clients).toEqual([]))

  test(`takes \${NAME} from the environment`, () => {
    const [client] = withFile(CLIENT, {
      WEB_SECRET: 'a secret from outside',
      WEB_URL: 'https://app.example',
    }).clients
    expect(client).toMatchObject({
      client_secret: 'a secret from outside',
      redirect_uris: ['https://app.example/callback'],
    })
  })

  test(`takes \${NAME} from the file that NAME_FILE names`, () => {
    const WEB_SECRET_FILE = write('a secret from a file\n')
    const [client] = withFile(CLIENT, { WEB_SECRET_FILE, WEB_URL: 'https://app.example' }).clients
    expect(client?.client_secret).toBe('a secret from a file')
  })

  test(`does not read \${…} again in what it was filled with`, () => {
    const [client] = withFile(CLIENT, {
      WEB_SECRET: `sixteen \${WEB_URL}`,
      WEB_URL: 'https://app.example',
    }).clients
    expect(client?.client_secret).toBe(`sixteen \${WEB_URL}`)
  })

  test('that asks for a name nobody set is told which', () => {
    const problems = problemsOf(() => withFile(CLIENT, { WEB_URL: 'https://app.example' }))
    expect(problems).toContain('WEB_SECRET: the configuration file asks for it')
  })

  test('writes durations as people do', () => {
    const { lifetimes } = withFile(
      'policy: { lifetimes: { session: 12h, refresh_window: 0s, interaction: 90s } }',
    ).policy
    expect(lifetimes).toMatchObject({
      session: 12 * HOUR,
      refresh_window: 0,
      interaction: 90 * SECOND,
      session_idle: DAY,
    })
  })

  test('keeps what has expired for a minute at least, so that late is not unknown', () => {
    const problems = problemsOf(() => withFile('policy: { retention: { expired: 59s } }'))
    expect(problems).toEqual(['policy.retention.expired: must be 1m at least'])
    expect(withFile('policy: { retention: { audit_ip: 7d } }').policy.retention).toEqual({
      expired: HOUR,
      audit: 365 * DAY,
      audit_ip: 7 * DAY,
      letters: 30 * DAY,
    })
  })

  test('cannot pollute a prototype', () => {
    const problems = problemsOf(() =>
      withFile('__proto__: { polluted: true }\npolicy: { __proto__: { polluted: true } }'),
    )
    expect(problems).not.toEqual([])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
})

describe('a secret', () => {
  test('may be in a file of its own, for every setting there is', () => {
    const config = readConfig({
      SECRET_KEY_FILE: write(`${KEY}\n`),
      DATABASE_URL_FILE: write('postgresql://db/anteroom\n'),
    })
    expect(config.SECRET_KEY).toEqual([Buffer.from(KEY, 'base64')])
    expect(config.DATABASE_URL).toBe('postgresql://db/anteroom')
  })

  test('in the environment wins over the one in a file', () => {
    expect(
      readConfig({ DATABASE_URL: 'postgresql://a/a', DATABASE_URL_FILE: write('postgresql://b/b') })
        .DATABASE_URL,
    ).toBe('postgresql://a/a')
  })

  test('whose file cannot be read is a mistake, told by name', () => {
    expect(problemsOf(() => readConfig({ SECRET_KEY_FILE: join(folder, 'absent') }))).toEqual([
      `SECRET_KEY_FILE: ${join(folder, 'absent')} cannot be read`,
    ])
  })

  test('key may come with its predecessors, newest first', () => {
    const older = randomBytes(32).toString('base64')
    expect(readConfig({ SECRET_KEY: `${KEY}, ${older}` }).SECRET_KEY).toEqual(
      [KEY, older].map((key) => Buffer.from(key, 'base64')),
    )
  })

  test.each(['', `${KEY},`, `${KEY},short`, KEY.slice(4)])(
    'key %j is refused or absent, never used',
    (SECRET_KEY) => {
      if (SECRET_KEY === '') return expect(readConfig({ SECRET_KEY }).SECRET_KEY).toBeUndefined()
      expect(problemsOf(() => readConfig({ SECRET_KEY }))).toEqual([
        expect.stringMatching(/^SECRET_KEY: must be 32 bytes/),
      ])
    },
  )
})

describe('mail', () => {
  const smtp = { SMTP_URL: 'smtp://localhost:25', MAIL_FROM: 'no-reply@example.com' }

  test.each([
    ['no-reply@example.com', '', 'no-reply@example.com'],
    ['Ada’s Room <no-reply@example.com>', 'Ada’s Room', 'no-reply@example.com'],
    ['"Room, the" <no-reply@bücher.example>', 'Room, the', 'no-reply@xn--bcher-kva.example'],
  ])('a sender may be written as %s', (MAIL_FROM, name, address) =>
    expect(readConfig({ MAIL_FROM }).MAIL_FROM).toEqual({ name, address }),
  )

  test.each([
    'nobody',
    'a@example.com, b@example.com',
    'A <a@example.com>\nBcc: b@example.com',
    'A <b <c@d.e>>',
  ])('a sender may not be written as %s', (MAIL_FROM) =>
    expect(problemsOf(() => readConfig({ MAIL_FROM }))).toEqual([expect.stringMatching(/^MAIL_FROM: /)]),
  )

  test('a mail server needs a sender, and DKIM all of its parts', () => {
    expect(readConfig(smtp)).toMatchObject({ SMTP_URL: 'smtp://localhost:25' })
    expect(problemsOf(() => readConfig({ SMTP_URL: smtp.SMTP_URL }))).toEqual([
      'MAIL_FROM: is required with SMTP_URL',
    ])
    expect(problemsOf(() => readConfig({ ...smtp, SMTP_URL: 'https://x' }))).toHaveLength(1)
    const problems = problemsOf(() => readConfig({ ...smtp, SMTP_DKIM_DOMAIN: 'example.com' }))
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(['SMTP_DKIM_SELECTOR', 'SMTP_DKIM_KEY'])
    expect(problemsOf(() => readConfig({ ...smtp, SMTP_DKIM_KEY: 'no key' }))).not.toEqual([])
  })
})

describe('in production', () => {
  test('everything needed being there, Anteroom starts', () =>
    expect(readConfig(PRODUCTION).production).toBe(true))

  test('T132: what is convenient in development is refused, all of it together', () => {
    const problems = problemsOf(() => readConfig({ NODE_ENV: 'production', ISSUER: 'http://id.example.com' }))
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'ISSUER',
      'SECRET_KEY',
      'DATABASE_URL',
      'SMTP_URL',
      'MAIL_FROM',
    ])
  })

  test('the embedded database is used where its folder is set on purpose', () => {
    const { DATABASE_URL: _, ...rest } = PRODUCTION
    expect(readConfig({ ...rest, DATA_DIR: '/var/lib/anteroom' })).toMatchObject({
      DATA_DIR: '/var/lib/anteroom',
    })
  })

  test.each(['http://localhost:4000', 'http://127.0.0.1:4000', 'http://[::1]:4000'])(
    'plain http is accepted on this machine alone: %s',
    (ISSUER) => {
      expect(readConfig({ ...PRODUCTION, ISSUER }).ISSUER).toBe(ISSUER)
    },
  )

  test.each([
    'http://localhost.example.com',
    'http://10.0.0.1',
    'http://127.0.0.1.example.com',
    'http://notlocalhost',
  ])('plain http is refused elsewhere: %s', (ISSUER) => {
    expect(problemsOf(() => readConfig({ ...PRODUCTION, ISSUER }))).toEqual([
      'ISSUER: must be https in production',
    ])
  })
})

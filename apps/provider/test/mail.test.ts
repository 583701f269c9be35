// Letters of the whole server: the development mailbox, and that there is none where letters are sent.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createUnitOfWork } from '../src/db/unit-of-work.ts'
import { systemClock } from '../src/lib/clock.ts'
import { createSealer } from '../src/lib/seal.ts'
import { createOutbox } from '../src/mail/outbox.store.ts'
import { createTestDatabase } from './support/database.ts'
import { codeIn, lettersTo, linkIn, waitForLetter } from './support/mailbox.ts'
import { codeLetter, smtpAt } from './support/post-office.ts'
import { NO_MAIL_SERVER } from './support/process.ts'
import { startServer, type TestServer } from './support/server.ts'
import { refusal, startSink } from './support/smtp.ts'

const secretKey = randomBytes(32)

function outboxOf({ database }: Pick<TestServer, 'database'>) {
  const work = createUnitOfWork(database)
  return createOutbox(work, { sealer: createSealer([secretKey]), now: systemClock })
}

describe('the development mailbox', () => {
  let server: TestServer
  const lines: string[] = []
  const log = {
    debug: () => {},
    info: (line: unknown) => void lines.push(String(line)),
    warn: () => {},
    error: () => {},
  }
  beforeEach(async () => {
    server = await startServer({ secretKey, log: log as never })
  })
  afterEach(() => server.close())

  const get = (pathname: string) => fetch(`${server.address}${pathname}`)

  test('lists letters newest first, by address in any case, and the terminal names each', async () => {
    const outbox = outboxOf(server)
    await outbox.post(codeLetter('Ada@example.com', '111111'))
    await waitForLetter(server, 'ada@example.com')
    await outbox.post(codeLetter('Ada@example.com', '222222'))
    await outbox.post(codeLetter('bob@example.com', '333333'))
    const newest = await waitForLetter(server, 'ADA@example.com', 2)
    expect(codeIn(newest)).toBe('222222')
    expect(linkIn(newest)).toBe('https://id.example.com/verify#a-secret-of-the-link')
    expect(newest).toMatchObject({
      to: 'Ada@example.com',
      headers: {
        'Auto-Submitted': 'auto-generated',
        'Message-ID': expect.stringMatching(/^<ltr_\w+@localhost>$/),
      },
    })
    expect((await lettersTo(server, 'ada@example.com')).map(codeIn)).toEqual(['222222', '111111'])
    expect(await lettersTo(server, 'nobody@example.com')).toEqual([])
    expect(lines).toContain('Letter to Ada@example.com: 222222 is your Anteroom code')
  })

  test('shows a letter in a frame that runs nothing, loads nothing and is nobody', async () => {
    await outboxOf(server).post(codeLetter('ada@example.com'))
    const { id, subject } = await waitForLetter(server, 'ada@example.com')
    const list = await get('/dev/mailbox')
    expect(list.headers.get('content-security-policy')).not.toContain('frame-src')
    expect(await list.text()).toContain(`<a href="/dev/mailbox/${id}"><bdi>${subject}</bdi></a>`)

    const page = await get(`/dev/mailbox/${id}`)
    expect(page.headers.get('content-security-policy')).toMatch(/frame-ancestors 'none'.*frame-src 'self'/)
    expect(page.headers.get('x-frame-options')).toBe('DENY')
    const shown = await page.text()
    expect(shown).toContain(`src="/dev/mailbox/${id}/html"`)
    expect(shown).toMatch(/sandbox="allow-popups allow-popups-to-escape-sandbox"/)
    expect(shown).toContain('Auto-Submitted: auto-generated')

    const letter = await get(`/dev/mailbox/${id}/html`)
    expect(letter.headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'self'; " +
        'sandbox allow-popups allow-popups-to-escape-sandbox',
    )
    expect(letter.headers.get('x-frame-options')).toBe('SAMEORIGIN')
    expect(await letter.text()).toContain('<h1>Your code</h1>')
  })

  test('knows no letter that is not there', async () => {
    for (const pathname of ['/dev/mailbox/ltr_1', '/dev/mailbox/ltr_1/html', '/dev/mailbox/x%00y'])
      expect((await get(pathname)).status, pathname).toBe(404)
    expect(await (await get('/dev/mailbox.json?to=x%00y')).json()).toEqual([])
  })
})

test.each([
  ['letters are sent', { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'no-reply@example.com' }],
  [
    'Anteroom is in production',
    {
      ...NO_MAIL_SERVER,
      NODE_ENV: 'production',
      SECRET_KEY: secretKey.toString('base64'),
      DATA_DIR: '/nowhere',
    },
  ],
])('there is no mailbox where %s', async (_, settings) => {
  const server = await startServer({ secretKey, settings })
  try {
    for (const pathname of ['/dev/mailbox', '/dev/mailbox.json', '/dev/mailbox/ltr_1'])
      expect((await fetch(`${server.address}${pathname}`)).status, pathname).toBe(404)
  } finally {
    await server.close()
  }
})

test('the operator lists what was given up and has it tried again; codes and recipients are shown to nobody', async (context) => {
  const place = await createTestDatabase()
  const sink = await startSink()
  const database = await place.open()
  const settings = smtpAt(sink.port)
  const server = await startServer({ secretKey, database, settings })
  try {
    if (!place.url) return context.skip('the embedded database serves one process')
    sink.behave = () => {
      throw refusal(550, '5.1.1 no such user')
    }
    await outboxOf(server).post(codeLetter('ada@example.com', '918273'))
    const list = () => run(place.url!, 'list', '--json')
    const dead = await vi.waitFor(
      () => {
        const { letters } = JSON.parse(list().stdout)
        expect(letters).toHaveLength(1)
        return letters[0] as { id: string }
      },
      { timeout: 30_000, interval: 500 },
    )
    expect(dead).toMatchObject({ kind: 'code', failure: 'refused by the mail server (550 5.1.1)' })
    expect(run(place.url, 'list').stdout).toMatch(
      /^ltr_\w+ {2}\d{4}-\S+ {2}code {2}refused by the mail server \(550 5\.1\.1\)\n$/,
    )
    expect(run(place.url, 'retry', 'ltr_unknown')).toMatchObject({ status: 1 })
    expect(run(place.url, 'retry')).toMatchObject({ status: 2 })
    sink.behave = () => {}
    expect(run(place.url, 'retry', dead.id)).toMatchObject({ status: 0 })
    await sink.arrived(1)
    await vi.waitFor(() => expect(list().stdout).toBe('{"letters":[]}\n'), { timeout: 10_000, interval: 500 })
  } finally {
    await server.close()
    await sink.stop()
    await place.drop()
  }
})

const CLI = path.resolve(import.meta.dirname, '../src/cli/main.ts')

/** Its whole output never names the code or the recipient. */
function run(url: string, ...args: string[]) {
  const env = { PATH: process.env['PATH'], DATABASE_URL: url }
  const ended = spawnSync(process.execPath, [CLI, 'mail', ...args], { env, encoding: 'utf8' })
  expect(ended.stdout + ended.stderr).not.toMatch(/918273|ada@example/)
  return ended
}

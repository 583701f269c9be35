import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startChild } from '../../test/support/child.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { freePort } from '../../test/support/port.ts'
import { codeLetter, openPostOffice, smtpAt } from '../../test/support/post-office.ts'
import { refusal, type Sink, startSink } from '../../test/support/smtp.ts'
import type { Database } from '../db/database.ts'
import type { Log } from '../lib/log.ts'

const secretKey = randomBytes(32)
const PATIENTLY = { timeout: 30_000, interval: 50 }

let place: TestDatabase
let database: Database
let sink: Sink
const closing: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  place = await createTestDatabase()
  database = await place.open()
  sink = await startSink()
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await sink.stop()
  await place.drop()
})

type Options = Partial<Parameters<typeof openPostOffice>[1]>

function open(options: Options = {}, on = database) {
  return openPostOffice(on, {
    secretKey,
    ...options,
    settings: { ...smtpAt(sink.port), ...options.settings },
  })
}

function openAndDeliver(options?: Options, on?: Database) {
  const office = open(options, on)
  closing.push(office.deliver().stop)
  return office
}

const rows = async () =>
  (await database.pool.query<Record<string, unknown>>('select * from letters order by id')).rows
const whenSent = (count: number) =>
  vi.waitFor(async () => {
    expect((await rows()).filter((row) => row['sent_at'])).toHaveLength(count)
  }, PATIENTLY)

/** Everything that is logged, as one text. */
function listening(): { log: Log; said: () => string } {
  const lines: string[] = []
  const hear = (...parts: unknown[]) => void lines.push(JSON.stringify(parts))
  return { log: { debug: hear, info: hear, warn: hear, error: hear } as never, said: () => lines.join('\n') }
}

test('a letter arrives whole: who from, who to, what it is, both parts', async () => {
  await openAndDeliver().post(codeLetter('Ada@example.com'))
  const [letter] = await sink.arrived(1)
  expect(letter).toMatchObject({ recipient: 'Ada@example.com', subject: '123456 is your Anteroom code' })
  expect(letter!.from!.text).toBe('"Anteroom" <no-reply@id.example.com>')
  const { headers, text, html, messageId, attachments } = letter!
  expect(headers.get('auto-submitted')).toBe('auto-generated')
  expect(headers.get('x-auto-response-suppress')).toBe('All')
  expect(headers.get('date')).toBeInstanceOf(Date)
  expect(messageId).toBe(`<${(await rows())[0]!['id']}@id.example.com>`)
  expect(text!.trim().endsWith('\n@id.example.com #123456')).toBe(true)
  expect(text).toContain('\nhttps://id.example.com/verify#a-secret-of-the-link\n')
  expect(html).toContain('Tea &amp; Sons')
  expect(attachments).toEqual([])
})

test('what is rolled back never leaves, what is committed leaves once', async () => {
  const office = openAndDeliver()
  const withheld = codeLetter('withheld@example.com')
  await office.work.run(
    () => office.outbox.post(withheld),
    () => false,
  )
  const failed = office.work.transaction(async () => {
    await office.outbox.post(withheld)
    throw new Error('not after all')
  })
  await expect(failed).rejects.toThrow('not after all')
  await office.work.transaction(() => office.outbox.post(codeLetter('ada@example.com')))
  await whenSent(1)
  expect(sink.received.map(({ recipient }) => recipient)).toEqual(['ada@example.com'])
})

test('nothing of a waiting letter can be read in the database, and nothing of a sent one is left', async () => {
  const office = open()
  await office.post(codeLetter('ada@example.com', '918273'))
  const hidden = /ada@example|918273|secret-of-the-link|Tea & Sons/
  const [{ sealed, ...rest } = {}] = await rows()
  expect(JSON.stringify(rest)).not.toMatch(hidden)
  expect((sealed as Buffer).toString('latin1')).not.toMatch(hidden)
  closing.push(office.deliver().stop)
  await whenSent(1)
  expect(await rows()).toMatchObject([{ sealed: null, message: null, failure: null }])
  const jobs = await database.pool.query('select data, output from pgboss.job')
  expect(JSON.stringify(jobs.rows)).not.toMatch(hidden)
})

test('posting waits for nobody: a mail server that is slow or gone takes as long as one that is not', async () => {
  sink.behave = () => new Promise(() => {})
  const office = openAndDeliver()
  const began = performance.now()
  for (let n = 0; n < 20; n++) await office.post(codeLetter(`slow-${n}@example.com`))
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(await rows()).toHaveLength(20)
})

test('one slow recipient holds up nobody else', async () => {
  const held = Promise.withResolvers<void>()
  sink.behave = (recipient) => (recipient === 'slow@example.com' ? held.promise : undefined)
  const office = openAndDeliver()
  await office.post(codeLetter('slow@example.com'))
  await vi.waitFor(() => expect(sink.tries('slow@example.com')).toBe(1), PATIENTLY)
  for (let n = 0; n < 10; n++) await office.post(codeLetter(`quick-${n}@example.com`))
  await sink.arrived(10)
  held.resolve()
  await whenSent(11)
})

test('while the mail server is down letters wait; each arrives once when it is back', async () => {
  const { log, said } = listening()
  await sink.stop()
  const office = openAndDeliver({ log })
  for (const name of ['ada', 'bob', 'eve']) await office.post(codeLetter(`${name}@example.com`))
  await vi.waitFor(() => expect(said()).toContain('could not be delivered yet'), PATIENTLY)
  sink = await startSink(sink.port)
  await whenSent(3)
  expect(sink.received.map(({ recipient }) => recipient).sort()).toEqual([
    'ada@example.com',
    'bob@example.com',
    'eve@example.com',
  ])
  expect(said()).toContain('delivered again')
  expect(said()).not.toMatch(/example\.com|123456|secret-of-the-link/)
})

test('"not now" is tried again', async () => {
  let tries = 0
  sink.behave = () => {
    if (++tries === 1) throw refusal(451, '4.7.1 greylisted')
  }
  await openAndDeliver().post(codeLetter('ada@example.com'))
  await sink.arrived(1)
  expect(sink.tries('ada@example.com')).toBe(2)
})

test('"never" is believed: listed at once, by code alone, sent when the operator asks for another try', async () => {
  const { log, said } = listening()
  sink.behave = (recipient) => {
    throw refusal(550, `5.1.1 <${recipient}> no such user`)
  }
  const office = openAndDeliver({ log })
  await office.post(codeLetter('ada@example.com'))
  await vi.waitFor(async () => expect(await office.store.listDead()).toHaveLength(1), PATIENTLY)
  const [dead] = await office.store.listDead()
  expect(dead).toMatchObject({ kind: 'code', failure: 'refused by the mail server (550 5.1.1)' })
  expect(said()).not.toContain('ada@example.com')
  expect(sink.tries('ada@example.com')).toBe(1)

  expect(await office.store.retryDead('ltr_unknown')).toBe(false)
  sink.behave = () => {}
  expect(await office.store.retryDead(dead!.id)).toBe(true)
  await sink.arrived(1)
  await whenSent(1)
  expect(await office.store.listDead()).toEqual([])
  expect(await office.store.retryDead(dead!.id)).toBe(false)
})

test('a letter that was tried long enough is given up', async () => {
  await sink.stop()
  const office = openAndDeliver({ patience: 0 })
  await office.post(codeLetter('ada@example.com'))
  await vi.waitFor(async () => expect(await office.store.listDead()).toHaveLength(1), PATIENTLY)
  expect((await office.store.listDead())[0]!.failure).toMatch(/ESOCKET|ECONN/)
})

test('a code that would not work any more is not sent, and forgotten', async () => {
  const office = open()
  await office.post(codeLetter('late@example.com', '111111', { uselessAfter: 1 }))
  await office.post(codeLetter('ada@example.com'))
  await vi.waitFor(async () => {
    const { rows } = await database.pool.query('select from letters where expires_at <= now()')
    expect(rows).toHaveLength(1)
  }, PATIENTLY)
  closing.push(office.deliver().stop)
  await whenSent(1)
  await vi.waitFor(
    async () => expect((await rows())[0]).toMatchObject({ sealed: null, sent_at: null }),
    PATIENTLY,
  )
  expect(sink.received.map(({ recipient }) => recipient)).toEqual(['ada@example.com'])
})

test('names of people and apps cannot add a header or a recipient', async () => {
  const office = openAndDeliver()
  const letter = codeLetter('ada@example.com')
  const clientName = 'App\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>'
  await office.post({ ...letter, content: { ...letter.content, clientName } as never })
  await office.post(codeLetter('bob@example.com, eve@example.com'))
  await office.post(codeLetter('bob@example.com\r\nBcc: eve@example.com'))
  const [first] = await sink.arrived(1)
  expect(first!.headers.has('bcc')).toBe(false)
  expect(first!.html).not.toContain('<script')
  await vi.waitFor(async () => {
    for (const { queued_at } of await rows()) expect(queued_at).not.toBeNull()
  }, PATIENTLY)
  expect(sink.tries('eve@example.com')).toBe(0)
})

test('a letter is signed where DKIM is set up', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const settings = {
    SMTP_DKIM_DOMAIN: 'example.com',
    SMTP_DKIM_SELECTOR: 'room',
    SMTP_DKIM_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
  await openAndDeliver({ settings }).post(codeLetter('ada@example.com'))
  const [letter] = await sink.arrived(1)
  const unfolded = letter!.raw.replace(/\r\n[ \t]+/g, ' ')
  expect(unfolded).toMatch(/^DKIM-Signature: v=1; a=rsa-sha256; [^\n]*d=example\.com; [^\n]*s=room; /m)
})

test('over TLS letters go only to a server somebody vouches for, unless the operator says otherwise', async () => {
  const { log, said } = listening()
  const secure = await startSink(undefined, true)
  closing.push(secure.stop)
  const SMTP_URL = `smtps://127.0.0.1:${secure.port}`
  const careful = open({ settings: { SMTP_URL }, log })
  const { stop } = careful.deliver()
  await careful.post(codeLetter('ada@example.com'))
  await vi.waitFor(() => expect(said()).toContain('could not be delivered yet'), PATIENTLY)
  await stop()
  expect(secure.received).toEqual([])
  openAndDeliver({ settings: { SMTP_URL: `${SMTP_URL}?tls.rejectUnauthorized=false` } })
  await secure.arrived(1)
})

test('who stops finishes the letter at hand, and takes no other', async () => {
  const held = Promise.withResolvers<void>()
  sink.behave = () => held.promise
  const office = open()
  const { stop } = office.deliver()
  await office.post(codeLetter('ada@example.com'))
  await vi.waitFor(() => expect(sink.tries('ada@example.com')).toBe(1), PATIENTLY)
  const stopped = stop()
  await office.post(codeLetter('bob@example.com'))
  held.resolve()
  await stopped
  expect((await rows()).map((row) => row['sent_at'] !== null)).toEqual([true, false])
  expect(sink.tries('bob@example.com')).toBe(0)
})

describe('several instances', () => {
  beforeEach((context) => context.skip(!place.url, 'the embedded database serves one process'))

  test('that start at once on a new database deliver each of 200 letters exactly once', async () => {
    const others = [await place.open(), await place.open()]
    const offices = [database, ...others].map((on) => openAndDeliver({}, on))
    const posts = Array.from({ length: 200 }, (_, n) =>
      offices[n % offices.length]!.post(codeLetter(`person-${n}@example.com`)),
    )
    await Promise.all(posts)
    await whenSent(200)
    expect(new Set(sink.received.map(({ recipient }) => recipient)).size).toBe(200)
    expect(sink.received).toHaveLength(200)
    const jobs = await database.pool.query(
      `select count(*)::int as made from pgboss.job where name = 'letters'`,
    )
    expect(jobs.rows).toEqual([{ made: 200 }])
  })

  test('one of which dies in the middle of a letter: another sends it, under the same id', async () => {
    const held = Promise.withResolvers<void>()
    sink.behave = () => held.promise
    const program = new URL('../../test/support/deliver-letters.ts', import.meta.url)
    const child = startChild(program, [place.url!, String(sink.port), secretKey.toString('base64')])
    closing.push(() => child.kill('SIGKILL'))
    await child.said('delivering')
    const office = open()
    await office.post(codeLetter('ada@example.com'))
    await vi.waitFor(() => expect(sink.tries('ada@example.com')).toBe(1), PATIENTLY)
    await child.kill('SIGKILL')
    held.resolve()
    closing.push(office.deliver().stop)
    await whenSent(1)
    expect(sink.received.at(-1)!.messageId).toBe(`<${(await rows())[0]!['id']}@id.example.com>`)
  })
})

test('a mail server that was nowhere to be found is found under its new setting', async () => {
  const lost = open({ settings: smtpAt(await freePort()) })
  await lost.post(codeLetter('ada@example.com'))
  openAndDeliver()
  await sink.arrived(1)
})

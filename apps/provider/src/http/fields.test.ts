import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serveKoa } from '../../test/support/koa.ts'
import { readFields } from './fields.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

let server: Awaited<ReturnType<typeof serveKoa>>
beforeAll(async () => {
  server = await serveKoa(async (ctx) => {
    const fields = await readFields(ctx)
    ctx.body = { name: fields('name'), short: fields('short', 10), proto: fields('__proto__') }
  })
})
afterAll(() => server.close())

async function post(body: string, headers: Record<string, string> = FORM) {
  const response = await fetch(server.address, { method: 'POST', body, headers })
  const text = await response.text()
  return { status: response.status, text, fields: response.ok ? JSON.parse(text) : null }
}

test('a field is what was typed, in any script', async () => {
  const { fields } = await post(new URLSearchParams({ name: 'Zoë Ōe 李 🦔 + & = %', short: 'ok' }).toString())
  expect(fields).toMatchObject({ name: 'Zoë Ōe 李 🦔 + & = %', short: 'ok' })
})

test('a field that was not sent is empty', async () => {
  expect((await post('')).fields).toMatchObject({ name: '', short: '' })
})

describe('T126: hostile text gets a 4xx', () => {
  test.each([
    ['a field sent twice', 'name=a&name=b', 400],
    ['a field of more than 1024 characters', `name=${'x'.repeat(1025)}`, 422],
    ['a field longer than its own limit', 'short=12345678901', 422],
    ['a NUL', 'name=a%00b', 422],
    ['more than 56 KiB', `name=${'x'.repeat(57_400)}`, 413],
    ['a megabyte', `name=${'x'.repeat(1_000_000)}`, 413],
  ])('%s', async (_, body, status) => expect((await post(body)).status).toBe(status))

  test.each([
    ['JSON', '{"name":"a"}', 'application/json'],
    ['text that looks like a form', 'name=a', 'text/plain'],
    [
      'multipart',
      '--x\r\nContent-Disposition: form-data; name="name"\r\n\r\na\r\n--x--',
      'multipart/form-data; boundary=x',
    ],
    ['no type', 'name=a', ''],
  ])('%s is not read', async (_, body, type) =>
    expect((await post(body, { 'content-type': type })).status).toBe(415),
  )
})

describe('odd but harmless text is only text', () => {
  test('lone surrogates and broken UTF-8 become the replacement character', async () => {
    expect((await post('name=%ED%A0%80%FF')).fields.name).toMatch(/^\ufffd+$/)
  })

  test('malformed percent signs stay as they are', async () => {
    expect((await post('name=100%&short=%zz')).fields).toMatchObject({ name: '100%', short: '%zz' })
  })

  test('brackets make no arrays and no objects', async () => {
    expect((await post('name[]=a&name[x]=b&name=c')).fields.name).toBe('c')
  })

  test('__proto__ and constructor are names like any other', async () => {
    expect((await post('__proto__=x&constructor.prototype=y')).fields.proto).toBe('x')
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  test('ten thousand fields are read past', async () => {
    expect((await post(`${'a=&'.repeat(10_000)}name=b`)).fields.name).toBe('b')
  })
})

test('T141: a body without end is cut off at 56 KiB', async () => {
  const headers = { ...FORM, 'transfer-encoding': 'chunked' }
  const sent = request(server.address, { method: 'POST', headers })
  const feed = (error?: Error | null) => error ?? void sent.write('x'.repeat(16 * 1024), feed)
  feed()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  expect([answer.statusCode, answer.headers.connection]).toEqual([413, 'close'])
  sent.destroy()
})

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { sendRaw } from '../../test/support/raw.ts'
import { type Listening, listen } from './listen.ts'

const LOCAL = { host: '127.0.0.1', port: 0 }

let server: Listening
const address = () => `http://127.0.0.1:${server.port}`
afterEach(() => server.stop())

/** What a server says to bytes that no library would send. */
async function say(bytes: string): Promise<string> {
  const socket = connect(server.port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.write(bytes)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

describe('T141: what is no HTTP is refused at once, with the headers of every answer', () => {
  test.each([
    ['headers of 17 KiB', `GET / HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(17 * 1024)}\r\n\r\n`, '431'],
    ['an address of 64 KiB', `GET /${'x'.repeat(64 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`, '431'],
    ['no request at all', 'hello\r\n\r\n', '400'],
    [
      'two lengths of one body',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      '400',
    ],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      '400',
    ],
    ['a NUL in a header', 'GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n', '400'],
  ])('%s', async (_, bytes, status) => {
    server = await listen((_req, res) => res.end('never'), LOCAL)
    const answer = await say(bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    for (const header of [
      'X-Content-Type-Options: nosniff',
      "Content-Security-Policy: default-src 'none'",
      'Cache-Control: no-store',
      'X-Frame-Options: DENY',
      'Referrer-Policy: no-referrer',
    ]) {
      expect(answer).toContain(`\r\n${header}`)
    }
  })
})

test('of a thousand headers the hundredth is the last that is read', async () => {
  server = await listen((req, res) => res.end(String(Object.keys(req.headers).length)), LOCAL)
  const headers = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`x-${index}`, '1']))
  expect(Number((await sendRaw(address(), { headers })).body)).toBeLessThanOrEqual(100)
})

test('a taken port is told at once', async () => {
  server = await listen((_, res) => res.end(), LOCAL)
  await expect(listen((_, res) => res.end(), { host: '127.0.0.1', port: server.port })).rejects.toThrow(
    'EADDRINUSE',
  )
})

describe('a server that stops', () => {
  test('lets the answer under way out and takes nobody new', async () => {
    let answer: (() => void) | undefined
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    server = await listen((_, res) => {
      answer = () => res.end('complete')
      begin()
    }, LOCAL)
    const underWay = sendRaw(address(), {})
    await begun
    const stopped = server.stop()
    await expect(sendRaw(address(), {})).rejects.toThrow('ECONNREFUSED')
    answer!()
    expect((await underWay).body).toBe('complete')
    const before = performance.now()
    await stopped
    expect(performance.now() - before, 'the client would keep the connection for five seconds').toBeLessThan(
      2000,
    )
  })

  test('says so beforehand: each answer is the last of its connection, and whoever connects anew is served', async () => {
    server = await listen((_, res) => res.end('here'), LOCAL)
    const socket: Socket = connect(server.port, '127.0.0.1')
    const ask = async () => {
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      return String((await once(socket, 'data'))[0])
    }
    expect(await ask()).toContain('Connection: keep-alive')
    server.sayGoodbye()
    const closed = once(socket, 'close')
    expect(await ask()).toContain('Connection: close')
    await closed
    expect((await sendRaw(address(), {})).body).toBe('here')
  })

  test('does not wait for browsers that only keep a connection', async () => {
    server = await listen((_, res) => res.end('here'), LOCAL)
    const socket: Socket = connect(server.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'data')
    const closed = once(socket, 'close')
    await server.stop()
    await closed
  })
})

// A mail server that keeps what it is sent, and may be made slow, unwilling or gone.
import { once } from 'node:events'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'
import { vi } from 'vitest'
import { freePort } from './port.ts'

export type Received = ParsedMail & { recipient: string; raw: string }

export type Sink = {
  port: number
  received: Received[]
  /** Waits before it takes a letter's content, for as long as the promise takes; then answers with an error, if there is one. */
  behave: (recipient: string) => Promise<void> | void
  /** How often a recipient was named. */
  tries: (recipient: string) => number
  arrived(count: number, timeout?: number): Promise<Received[]>
  stop(): Promise<void>
}

/** An answer of the server: `refusal(550, '5.1.1 no such user')`. */
export const refusal = (responseCode: number, message: string) =>
  Object.assign(new Error(message), { responseCode })

/** @param secure speaks TLS from the start, with a certificate that nobody vouches for */
export async function startSink(port?: number, secure = false): Promise<Sink> {
  const asked: string[] = []
  const sink: Sink = {
    port: port ?? (await freePort()),
    received: [],
    behave: () => {},
    tries: (recipient) => asked.filter((address) => address === recipient).length,
    arrived: (count, timeout = 30_000) =>
      vi.waitFor(
        () => {
          if (sink.received.length < count)
            throw new Error(`${sink.received.length} of ${count} letters arrived`)
          return sink.received
        },
        { timeout, interval: 50 },
      ),
    stop: () => new Promise((resolve) => server.close(resolve)),
  }
  const server = new SMTPServer({
    authOptional: true,
    secure,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onRcptTo({ address }, _, callback) {
      asked.push(address)
      Promise.resolve()
        .then(() => sink.behave(address))
        .then(() => callback(), callback)
    },
    onData(stream, { envelope }, callback) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk) => chunks.push(chunk))
      stream.on('end', async () => {
        const raw = Buffer.concat(chunks)
        const parsed = await simpleParser(raw)
        sink.received.push({ ...parsed, recipient: envelope.rcptTo[0]!.address, raw: raw.toString() })
        callback()
      })
    },
  })
  server.on('error', () => {})
  server.listen(sink.port, '127.0.0.1')
  await once(server.server, 'listening')
  return sink
}

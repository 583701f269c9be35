// The load's own HTTP client: one connection, one request at a time, and next to no work. It understands what the
// contenders send (a Content-Length, no chunks) and refuses the rest.
import { connect, type Socket } from 'node:net'

/** `head` is the status line and the header fields, `body` one character a byte. */
export type Answer = { status: number; head: string; body: string }

export type Wire = {
  get(path: string, headers?: string): Promise<Answer>
  post(path: string, form: string, headers?: string): Promise<Answer>
  close(): void
}

/** Nobody waits longer than this for an answer, in milliseconds. */
export const PATIENCE = 10_000

type Waiting = { resolve(answer: Answer): void; reject(error: Error): void }

/** `headers` of a request are whole lines, each with its line end. */
export function openWire(port: number): Wire {
  const host = `Host: 127.0.0.1:${port}\r\n`
  let socket: Socket | null = null
  let waiting: Waiting | null = null
  let received = ''

  function dial(): Socket {
    const dialled = connect({ host: '127.0.0.1', port, noDelay: true })
    dialled.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      try {
        const answer = parse(received)
        if (answer) settle(answer)
      } catch (error) {
        dialled.destroy(error as Error)
      }
    })
    dialled.setTimeout(PATIENCE, () => dialled.destroy(new Error(`no answer within ${PATIENCE} ms`)))
    dialled.on('error', (error) => lose(dialled, error))
    dialled.on('close', () => lose(dialled, new Error('the connection was closed')))
    return dialled
  }

  function settle(answer: Answer): void {
    const asked = waiting
    waiting = null
    received = ''
    if (answer.head.includes('\r\nConnection: close')) {
      socket?.destroy()
      socket = null
    }
    asked?.resolve(answer)
  }

  function lose(lost: Socket, error: Error): void {
    if (lost !== socket) return
    socket = null
    received = ''
    waiting?.reject(error)
    waiting = null
  }

  const send = (request: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject }
      socket ??= dial()
      socket.write(request, 'latin1')
    })

  return {
    get: (path, headers = '') => send(`GET ${path} HTTP/1.1\r\n${host}${headers}\r\n`),
    post: (path, form, headers = '') =>
      send(
        `POST ${path} HTTP/1.1\r\n${host}${headers}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
      ),
    close() {
      const closing = socket
      socket = null
      closing?.destroy()
    },
  }
}

/** Null as long as something is missing. */
function parse(received: string): Answer | null {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return null
  const head = received.slice(0, end)
  const length = headerOf(head, 'Content-Length')
  if (!length) throw new Error(`an answer without Content-Length: ${head}`)
  const body = received.slice(end + 4)
  return body.length < Number(length) ? null : { status: Number(head.slice(9, 12)), head, body }
}

/** Empty where it is missing. */
export function headerOf(head: string, name: string): string {
  const fields = [`\r\n${name}: `, `\r\n${name.toLowerCase()}: `]
  const field = fields.find((candidate) => head.includes(candidate))
  if (!field) return ''
  const from = head.indexOf(field) + field.length
  const end = head.indexOf('\r\n', from)
  return end < 0 ? head.slice(from) : head.slice(from, end)
}

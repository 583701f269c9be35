import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { SECOND } from '../lib/clock.ts'
import { BARE_HEADERS } from './security-headers.ts'

/** Slow senders are let go; connections a load balancer keeps are kept longer than it does. */
const TIMES = {
  headersTimeout: 10 * SECOND,
  requestTimeout: 30 * SECOND,
  keepAliveTimeout: 65 * SECOND,
  connectionsCheckingInterval: 5 * SECOND,
  maxHeaderSize: 16 * 1024,
}
const MAX_HEADERS = 100
const MAX_REQUESTS_PER_SOCKET = 1000
const DRAIN = 30 * SECOND

export type Listening = {
  port: number
  /** From here on each answer is the last of its connection (RFC 9112, section 9.6): whoever asks again connects anew. */
  sayGoodbye(): void
  /** Takes no new connections, lets the answers under way out for at most 30 s, then closes. */
  stop(): Promise<void>
}

/** @throws when the address is taken */
export async function listen(
  handler: RequestListener,
  { host, port }: { host: string; port: number },
): Promise<Listening> {
  let isLeaving = false
  const server = createServer(TIMES, (req, res) => {
    if (isLeaving) res.setHeader('Connection', 'close')
    // A connection that was busy when the server stopped would else be kept for a next request.
    res.once('close', () => server.listening || server.closeIdleConnections())
    handler(req, res)
  })
  server.maxHeadersCount = MAX_HEADERS
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET
  server.on('clientError', refuse)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(isTaken(error) ? taken(host, port) : error))
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    sayGoodbye() {
      isLeaving = true
    },
    stop: () => stop(server),
  }
}

const isTaken = ({ code }: NodeJS.ErrnoException) => code === 'EADDRINUSE'
const taken = (host: string, port: number) =>
  new Error(`another program listens on ${host}, port ${port} (EADDRINUSE)`)

const REFUSALS: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** What is no HTTP gets a bare answer and no more of our time. */
function refuse({ code = '' }: NodeJS.ErrnoException, socket: Socket) {
  if (!socket.writable) return socket.destroy()
  const headers = Object.entries({ Connection: 'close', 'Content-Length': '0', ...BARE_HEADERS })
  const lines = [
    `HTTP/1.1 ${REFUSALS[code] ?? '400 Bad Request'}`,
    ...headers.map((header) => header.join(': ')),
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n`)
}

function stop(server: Server): Promise<void> {
  const force = setTimeout(() => server.closeAllConnections(), DRAIN)
  force.unref()
  return new Promise((resolve) => {
    server.close(() => {
      clearTimeout(force)
      resolve()
    })
    server.closeIdleConnections()
  })
}

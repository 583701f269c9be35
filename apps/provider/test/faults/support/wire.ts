// One program's line to one server: what came back whole, or nothing.
import { Agent, request } from 'node:http'

export type Reply = { status: number; headers: Record<string, string | string[] | undefined>; body: string }

/** No whole answer came; whether the request was acted on nobody knows. */
export class NoAnswer extends Error {
  override name = 'NoAnswer'
  /** Not even the connection came about, so it was certainly not acted on. */
  readonly neverSent: boolean
  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message, { cause })
    this.neverSent = cause.code === 'ECONNREFUSED'
  }
}

export type Question = {
  method?: string
  path: string
  form?: Record<string, string>
  headers?: Record<string, string>
}

export type Wire = {
  port: number
  /** @throws NoAnswer */
  ask(question: Question): Promise<Reply>
  close(): void
}

/** Longer than any server of ours may take, in milliseconds. */
const PATIENCE = 40_000

/** Keeps its connections, as apps do. `host` is the issuer's, wherever this one of its servers listens. */
export function openWire(port: number, host: string): Wire {
  const agent = new Agent({ keepAlive: true })
  return {
    port,
    ask: ({ method, path, form, headers }) =>
      new Promise((resolve, reject) => {
        const fail = (error: NodeJS.ErrnoException) => reject(new NoAnswer(error))
        const body = form && new URLSearchParams(form).toString()
        const type = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }
        const sent = request(
          {
            agent,
            host: 'localhost',
            port,
            path,
            method: method ?? (form ? 'POST' : 'GET'),
            headers: { host, ...type, ...headers },
          },
          (response) => {
            const chunks: Buffer[] = []
            response.on('data', (chunk: Buffer) => chunks.push(chunk))
            response.on('error', fail)
            response.on('end', () => {
              const { statusCode: status = 0, headers } = response
              resolve({ status, headers, body: Buffer.concat(chunks).toString() })
            })
          },
        )
        sent.setTimeout(PATIENCE, () => sent.destroy(new Error(`no answer for ${PATIENCE} ms`)))
        sent.on('error', fail)
        sent.end(body)
      }),
    close: () => agent.destroy(),
  }
}

// A balancer without any memory: each request goes to another server than the one before.
import { once } from 'node:events'
import { createServer, request } from 'node:http'

export type Spread = {
  /** How many requests each server has had. */
  counts: number[]
  /** The next request goes to this server. */
  beginWith(index: number): void
  close(): Promise<void>
}

/** Servers as ports on this machine, asked in turn. The Host header stays as it is: it names the issuer. */
export async function startSpread(port: number, servers: number[]): Promise<Spread> {
  const counts = servers.map(() => 0)
  let next = 0
  const proxy = createServer((req, res) => {
    const index = next
    next = (next + 1) % servers.length
    counts[index]!++
    const { method, url, headers } = req
    const onward = request(
      { host: 'localhost', port: servers[index], method, path: url, headers },
      (answer) => {
        res.writeHead(answer.statusCode!, answer.statusMessage, answer.rawHeaders)
        answer.pipe(res)
      },
    )
    onward.on('error', (error) => res.destroy(error))
    req.pipe(onward)
  })
  proxy.listen(port, 'localhost')
  await once(proxy, 'listening')
  return {
    counts,
    beginWith(index) {
      next = index
    },
    async close() {
      proxy.close()
      proxy.closeAllConnections()
      await once(proxy, 'close')
    },
  }
}

// A long cable to PostgreSQL: whatever is said arrives, but later.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type SlowLink = {
  /** The same database, at the other end of the cable. */
  url: string
  /** From here on each message takes so many milliseconds longer, half of them each way. */
  slowDown(roundTrip: number): void
  close(): Promise<void>
}

export async function startSlowLink(url: string): Promise<SlowLink> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let delay = 0
  const carry = (from: Socket, to: Socket) => {
    // Later words never overtake earlier ones, also when the delay has become shorter.
    let due = 0
    const later = (act: () => void) => {
      due = Math.max(due, Date.now() + delay)
      const wait = due - Date.now()
      if (wait > 0) setTimeout(act, wait)
      else act()
    }
    from.on('data', (chunk) => later(() => to.writable && to.write(chunk)))
    from.on('close', () => later(() => to.destroy()))
    from.on('error', () => {})
    sockets.add(from)
    from.once('close', () => sockets.delete(from))
  }
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
    carry(near, far)
    carry(far, near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const through = new URL(url)
  through.port = String((server.address() as AddressInfo).port)
  return {
    url: through.href,
    slowDown(roundTrip) {
      delay = roundTrip / 2
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

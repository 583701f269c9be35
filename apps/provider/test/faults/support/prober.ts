// Asks again and again whether the process lives, each time on a connection of its own.
import { setTimeout as pause } from 'node:timers/promises'
import { sendRaw } from '../../support/raw.ts'

export type Prober = {
  /** Ends the asking; what every answer was, and the longest wait in milliseconds. */
  stop(): Promise<{ statuses: Set<number | string>; slowest: number }>
}

const EVERY = 50

export function watch(port: number, path: string): Prober {
  const ending = new AbortController()
  const statuses = new Set<number | string>()
  let slowest = 0
  const asking = (async () => {
    while (!ending.signal.aborted) {
      const began = Date.now()
      const outcome = await sendRaw(`http://localhost:${port}`, {
        path,
        headers: { connection: 'close' },
      }).then(
        ({ status }) => status,
        ({ code, message }: NodeJS.ErrnoException) => code ?? message,
      )
      statuses.add(outcome)
      slowest = Math.max(slowest, Date.now() - began)
      await pause(EVERY)
    }
  })()
  return {
    async stop() {
      ending.abort()
      await asking
      return { statuses, slowest }
    },
  }
}

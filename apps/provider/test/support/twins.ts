// Two instances of the whole server on one database.
import { randomBytes } from 'node:crypto'
import { TRUST_LOOPBACK } from './browser.ts'
import { createTestDatabase } from './database.ts'
import { type Options, startServer, type TestServer } from './server.ts'

export type Twins = {
  server: TestServer
  sibling: TestServer
  /** The embedded database serves one process: there the two share its connection. */
  isReal: boolean
  secretKey: Buffer
  close(): Promise<void>
}

/** Each listens at an address of its own under an issuer of its own; both believe `anotherNetwork`. */
export async function startTwins(options: Options = {}): Promise<Twins> {
  const place = await createTestDatabase()
  const secretKey = randomBytes(32)
  const first = await place.open()
  const second = place.url ? await place.open() : first
  const start = (database: typeof first) =>
    startServer({ settings: TRUST_LOOPBACK, ...options, secretKey, database })
  const [server, sibling] = [await start(first), await start(second)]
  return {
    server,
    sibling,
    isReal: place.url !== undefined,
    secretKey,
    async close() {
      await Promise.all([server.close(), sibling.close()])
      await place.drop()
    },
  }
}

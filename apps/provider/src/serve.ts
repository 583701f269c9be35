// One process that serves: opens the database, builds the app, listens, and lets go.
import { setTimeout } from 'node:timers/promises'
import { createApp } from './app.ts'
import type { Config } from './config.ts'
import { developmentSecret } from './db/development-secret.ts'
import { openDatabase } from './db/open.ts'
import { listen } from './http/listen.ts'
import { SECOND, systemClock } from './lib/clock.ts'
import type { Log } from './lib/log.ts'
import { createSealer } from './lib/seal.ts'

export type Serving = {
  port: number
  /** The instance goes: `/readyz` says so, then the answers under way are let out for at most 30 s. */
  stop(): Promise<void>
  /** This process goes and another one is there in its place: whoever is connected is given time to connect to that. */
  handOver(): Promise<void>
}

/** A load balancer looks every second or two, a browser asks again on the connection it has. */
const NOTICE = 3 * SECOND

/** @throws what `openDatabase`, `createApp` and `listen` throw */
export async function serve(config: Config, log: Log): Promise<Serving> {
  const sealer = createSealer(config.SECRET_KEY ?? [await developmentSecret(config.DATA_DIR)])
  const database = await openDatabase({ url: config.DATABASE_URL, dataDir: config.DATA_DIR, log })
  try {
    const app = await createApp({ config, database, sealer, log, now: systemClock })
    const server = await listen(app.handler, { host: config.HOST, port: config.PORT })
    const leave = async (notice: number) => {
      server.sayGoodbye()
      await setTimeout(notice)
      await server.stop()
      await app.close()
      await database.close()
    }
    return {
      port: server.port,
      stop() {
        app.drain()
        return leave(config.production ? NOTICE : 0)
      },
      handOver: () => leave(NOTICE),
    }
  } catch (error) {
    await database.close()
    throw error
  }
}

// Start and stop: read the settings, open the database, build the app, listen, drain.
import { setTimeout } from 'node:timers/promises'
import { createApp } from './app.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import { developmentSecret } from './db/development-secret.ts'
import { openDatabase } from './db/open.ts'
import { listen } from './http/listen.ts'
import { SECOND, systemClock } from './lib/clock.ts'
import { createLog, type Log } from './lib/log.ts'
import { createSealer } from './lib/seal.ts'

const EX_CONFIG = 78
const NOTICE = 3 * SECOND

async function start(config: Config): Promise<() => Promise<void>> {
  const log = createLog(config.LOG_LEVEL, !config.production)
  const sealer = createSealer(config.SECRET_KEY ?? [await developmentSecret(config.DATA_DIR)])
  const database = await openDatabase({ url: config.DATABASE_URL, dataDir: config.DATA_DIR, log })
  try {
    const app = await createApp({ config, database, sealer, log, now: systemClock })
    const server = await listen(app.handler, { host: config.HOST, port: config.PORT })
    announce(config, server.port, log)
    return async () => {
      app.drain()
      // A load balancer looks every second or two: it must see that we go before we are gone.
      if (config.production) await setTimeout(NOTICE)
      await server.stop()
      await app.close()
      await database.close()
    }
  } catch (error) {
    await database.close()
    throw error
  }
}

function announce({ ISSUER, HOST, production, DATABASE_URL }: Config, port: number, log: Log): void {
  if (production) {
    log.info({ issuer: ISSUER, host: HOST, port }, 'Anteroom is running')
    return
  }
  const lines = [
    '',
    `  Anteroom is running      ${ISSUER}   (listening on ${HOST}:${port})`,
    `  Database                 ${DATABASE_URL ? 'PostgreSQL' : 'embedded PostgreSQL'}`,
    '  Development mode: plain http is accepted, secrets are kept in the data folder',
    '',
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** One stop at a time; a second signal does not wait for it. */
function stopOnSignal(stop: () => Promise<void>): void {
  let stopping = false
  const onSignal = () => {
    if (stopping) process.exit(1)
    stopping = true
    stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}

/** A sentence for the operator; where in the code it happened is told only to who asks for it. */
function fail(error: unknown): never {
  const { message, stack = message } = error instanceof Error ? error : new Error(String(error))
  const told = error instanceof ConfigError ? message : `Anteroom cannot go on: ${message}`
  process.stderr.write(`${process.env['LOG_LEVEL'] === 'debug' ? stack : told}\n`)
  process.exit(error instanceof ConfigError ? EX_CONFIG : 1)
}

try {
  stopOnSignal(await start(readConfig(process.env)))
} catch (error) {
  fail(error)
}

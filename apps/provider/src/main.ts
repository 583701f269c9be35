// Start and stop: read the settings, serve alone or lead several workers that do, go when told.
import cluster from 'node:cluster'
import { setTimeout } from 'node:timers/promises'
import { obeyPrimary, prepareFork, startCluster, WorkerFailed } from './cluster.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import { openDatabase } from './db/open.ts'
import { systemClock } from './lib/clock.ts'
import { createLog, type Log } from './lib/log.ts'

const EX_CONFIG = 78

async function start(config: Config): Promise<void> {
  const log = createLog(config.LOG_LEVEL, !config.production)
  if (config.WEB_CONCURRENCY > 1 && cluster.isPrimary) return lead(config, log)
  // Only here: a primary that knew every room would be twice as large.
  const { serve } = await import('./serve.ts')
  const serving = await serve(config, log)
  const leave = leaveOnSignal(serving.stop)
  if (cluster.isWorker) obeyPrimary(serving, leave)
  else announce(config, serving.port, log)
}

async function lead(config: Config, log: Log): Promise<void> {
  // Migrations are applied once, and what is wrong with the database is told once.
  const database = await openDatabase({ url: config.DATABASE_URL, dataDir: config.DATA_DIR, log })
  await database.close()
  const size = config.WEB_CONCURRENCY
  const workers = await startCluster({ size, fork: prepareFork(), log, now: systemClock, wait: setTimeout })
  workers.gaveUp.catch(fail)
  leaveOnSignal(workers.stop)
  process.on('SIGUSR2', () => void workers.renew())
  announce(config, workers.port, log)
}

function announce(
  { ISSUER, HOST, production, DATABASE_URL, SMTP_URL }: Config,
  port: number,
  log: Log,
): void {
  if (production) {
    log.info({ issuer: ISSUER, host: HOST, port }, 'Anteroom is running')
    return
  }
  const lines = [
    '',
    `  Anteroom is running      ${ISSUER}   (listening on ${HOST}:${port})`,
    `  Database                 ${DATABASE_URL ? 'PostgreSQL' : 'embedded PostgreSQL'}`,
    `  Letters                  ${SMTP_URL ? 'sent by the mail server of SMTP_URL' : `${ISSUER}/dev/mailbox`}`,
    '  Development mode: plain http is accepted, secrets are kept in the data folder',
    '',
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** Goes once, however often it is told; a second signal does not wait for that. Returns how to go without a signal. */
function leaveOnSignal(stop: () => Promise<void>): (how: () => Promise<void>) => void {
  let isLeaving = false
  let isSignalled = false
  const leave = (how: () => Promise<void>) => {
    if (isLeaving) return
    isLeaving = true
    how().then(() => process.exit(0), fail)
  }
  const onSignal = () => {
    if (isSignalled) process.exit(1)
    isSignalled = true
    leave(stop)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return leave
}

/** A sentence for the operator; where in the code it happened is told only to who asks for it. */
function fail(error: unknown): never {
  const { message, stack = message } = error instanceof Error ? error : new Error(String(error))
  const told = error instanceof ConfigError ? message : `Anteroom cannot go on: ${message}`
  process.stderr.write(`${process.env['LOG_LEVEL'] === 'debug' ? stack : told}\n`)
  process.exit(exitCodeOf(error))
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EX_CONFIG
  return error instanceof WorkerFailed ? error.exitCode : 1
}

try {
  await start(readConfig(process.env))
} catch (error) {
  fail(error)
}

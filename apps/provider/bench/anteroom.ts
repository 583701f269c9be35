// Anteroom as main.ts builds it, on PostgreSQL, every check and the audit log on.
import { createApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { openDatabase } from '../src/db/open.ts'
import { listen } from '../src/http/listen.ts'
import { systemClock } from '../src/lib/clock.ts'
import { createLog } from '../src/lib/log.ts'
import { createSealer } from '../src/lib/seal.ts'
import { BENCH_CLIENTS } from './load.ts'

const port = Number(process.env['PORT'])
const config = readConfig({ ...process.env, ISSUER: `http://localhost:${port}`, LOG_LEVEL: 'error' })
const log = createLog('error', false)
const database = await openDatabase({ url: config.DATABASE_URL, dataDir: config.DATA_DIR, log })
const app = await createApp({
  config: { ...config, clients: BENCH_CLIENTS },
  database,
  sealer: createSealer([Buffer.alloc(32, 7)]),
  log,
  now: systemClock,
})
const server = await listen(app.handler, { host: 'localhost', port })
process.send?.({ port: server.port })
process.on('disconnect', () => process.exit(0))

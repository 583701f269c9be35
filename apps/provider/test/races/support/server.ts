// One process of several: `node server.ts <database url> <refresh window in ms> <variant>`, sends its origin when up.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createArtifactStore } from '../../../src/artifacts/store.ts'
import { openDatabase } from '../../../src/db/open.ts'
import { createUnitOfWork } from '../../../src/db/unit-of-work.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { createEngineStorage } from '../../../src/oidc/adapter.ts'
import { createNaiveStore } from './naive-store.ts'
import { IN_COMPANY, MAX_CONNECTIONS, NO_COMPANY, SECRET } from './options.ts'
import type { Variant } from './processes.ts'
import { createProvider } from './provider.ts'

const [url, window, variant] = process.argv.slice(2) as [string, string, Variant]

const database = await openDatabase({
  url,
  dataDir: '',
  log: silentLog,
  migrate: false,
  maxConnections: MAX_CONNECTIONS,
})
const work = createUnitOfWork(database, variant === 'real' ? IN_COMPANY : NO_COMPANY)
const ours = createArtifactStore(database.pool, work)
const store = variant === 'naive' ? createNaiveStore(ours, database.pool) : ours
const storage = createEngineStorage(store, { secrets: [SECRET], refreshWindow: Number(window) })

const server = createServer(createProvider(storage, work).callback())
server.listen(0, '127.0.0.1', () =>
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
)
process.on('disconnect', () => process.exit())

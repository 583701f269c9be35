// One process of several: `node server.ts <database url> <refresh window in ms> <variant>`, sends its origin when up.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ArtifactStore, createArtifactStore } from '../../../src/artifacts/store.ts'
import { openDatabase } from '../../../src/db/open.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { createEngineStorage } from '../../../src/oidc/adapter.ts'
import { createNaiveStore } from './naive-store.ts'
import type { Variant } from './processes.ts'
import { createProvider } from './provider.ts'

const [url, window, variant] = process.argv.slice(2) as [string, string, Variant]

const { pool } = await openDatabase({ url, dataDir: '', log: silentLog, migrate: false })
const store = createArtifactStore(pool)

/** Dies in the moment between the consumption of a refresh token and the birth of its successor. */
const dying: ArtifactStore = { ...store, succeed: async () => process.kill(process.pid, 'SIGKILL') }

/** Learns in that moment that the family was revoked. */
const overtaken: ArtifactStore = {
  ...store,
  async succeed(successor, predecessor) {
    await store.revokeByGrantId(String(successor.payload.grantId))
    return store.succeed(successor, predecessor)
  },
}

const stores = { real: store, naive: createNaiveStore(store, pool), dying, overtaken }

const provider = createProvider(createEngineStorage(stores[variant], Number(window)))
const server = createServer(provider.callback())
server.listen(0, '127.0.0.1', () =>
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
)
process.on('disconnect', () => process.exit())

// The thread in which the embedded PostgreSQL runs: PGlite behind a Unix socket.
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

/** `folder` holds the database, `socket` is the path to listen on. */
export type EmbeddedSettings = { folder: string; socket: string }

const { folder, socket } = workerData as EmbeddedSettings

/** One pool of one connection is served; the others are its predecessors while they are being closed. */
const CONNECTIONS_MAX = 10

/** One process's worth of cache: PostgreSQL's default would hold some 120 MB more. */
const START = [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB']

const database = await openFolder()
const server = new PGLiteSocketServer({ db: database, path: socket, maxConnections: CONNECTIONS_MAX })
rmSync(socket, { force: true })
await server.start()

parentPort?.once('message', async () => {
  await server.stop()
  await database.close()
  parentPort?.close()
})
parentPort?.postMessage('listening')

/**
 * A folder whose creation was cut short holds nothing anybody was told is kept: it is made anew.
 * Like PostgreSQL's own, it is for its owner alone, also where it was copied from elsewhere.
 */
async function openFolder(): Promise<PGlite> {
  const unfinished = `${folder}.unfinished`
  if (existsSync(unfinished)) rmSync(folder, { recursive: true, force: true })
  if (existsSync(folder)) {
    chmodSync(folder, 0o700)
    return PGlite.create({ dataDir: folder, startParams: START })
  }
  writeFileSync(unfinished, '')
  mkdirSync(folder, { mode: 0o700 })
  const created = await PGlite.create({ dataDir: folder, startParams: START })
  rmSync(unfinished)
  return created
}

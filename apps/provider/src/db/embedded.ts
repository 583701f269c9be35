// The embedded PostgreSQL: a thread of this process, reached through a socket like any other server.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { SECOND } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { lockDataFolder } from './data-lock.ts'
import { keepEngineRunning } from './embedded-engine.ts'
import type { Address, Server } from './pool.ts'
import { makeSocketFolder, socketPath } from './socket-folder.ts'

/**
 * Starts the database kept under `dataDir`, making it where there is none (3 to 5 s; later starts take a tenth of that).
 *
 * @throws DataFolderInUse
 */
export async function startEmbedded(dataDir: string, log: Log): Promise<Server> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const lock = lockDataFolder(dataDir)
  const sockets = makeSocketFolder(dataDir)
  const leave = () => {
    sockets.remove()
    lock.release()
  }
  try {
    const settings = { folder: join(dataDir, 'postgres'), socket: socketPath(sockets.folder) }
    const engine = await keepEngineRunning(settings, log)
    const address = { ...addressOf(sockets.folder), onSilence: engine.giveUp }
    return { address, stop: () => engine.stop().finally(leave) }
  } catch (error) {
    leave()
    throw error
  }
}

/**
 * Behind the socket is no clock: `statement_timeout` and its like do nothing, silence is the only limit.
 * Everything is said, so that none of the `PG…` variables of the environment has a say.
 * One connection, because behind the socket is one backend: the prepared statements of two would clash. It is kept;
 * should it be lost all the same, the next one finds the backend as its predecessor left it and cleans up.
 */
const addressOf = (folder: string): Address => ({
  connection: {
    host: folder,
    port: 5432,
    user: 'postgres',
    database: 'postgres',
    password: '',
    ssl: false,
    max: 1,
    idleTimeoutMillis: 0,
    // All wait for the one connection, so they wait longer.
    connectionTimeoutMillis: 10 * SECOND,
  },
  greeting: ['discard all', "set time zone 'UTC'"],
})

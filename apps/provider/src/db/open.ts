import type { Log } from '../lib/log.ts'
import type { Database } from './database.ts'
import { startEmbedded } from './embedded.ts'
import { migrate as applyMigrations } from './migrate.ts'
import { createNotifications, noNotifications } from './notifications.ts'
import { createPool, type Server } from './pool.ts'
import { createPrisma } from './prisma.ts'
import { createTurns } from './turns.ts'

export type DatabaseOptions = {
  /** `postgresql://…`; without it the embedded PostgreSQL under `dataDir` is started. */
  url?: string | undefined
  dataDir: string
  log: Log
  /** Applies missing migrations first; default true. */
  migrate?: boolean
  /** Size of the pool; the embedded database has one connection. */
  maxConnections?: number
}

const MAX_CONNECTIONS = 10

/**
 * @throws DataFolderInUse another process works on the embedded database
 * @throws MigrationFailed the schema cannot be brought up to date
 */
export async function openDatabase({ migrate = true, ...options }: DatabaseOptions): Promise<Database> {
  const { url, dataDir, log, maxConnections = MAX_CONNECTIONS } = options
  const server = url ? external(url, maxConnections) : await startEmbedded(dataDir, log)
  try {
    if (migrate) await applyMigrations(server.address, log)
  } catch (error) {
    await server.stop()
    throw error
  }
  const pool = createPool(server.address, log)
  const prisma = createPrisma(pool)
  const notifications = url ? createNotifications(server.address, log) : noNotifications
  const closeAll = async () => {
    notifications.close()
    await prisma.$disconnect()
    await pool.end()
    await server.stop()
  }
  let closing: Promise<void> | undefined
  return {
    pool,
    prisma,
    embedded: !url,
    inTurn: url ? createTurns(server.address, log) : (_, work) => work(pool),
    notifications,
    close() {
      closing ??= closeAll()
      return closing
    },
  }
}

/**
 * A server somebody else runs. Prisma's adapter writes and reads points in time without their zone,
 * so every connection keeps UTC whatever the server, the role or PGOPTIONS prefer.
 */
const external = (url: string, max: number): Server => ({
  address: { connection: { connectionString: url, max }, greeting: ["set time zone 'UTC'"] },
  stop: async () => {},
})

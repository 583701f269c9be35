import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Another process works in the folder. The message is written for the operator. */
export class DataFolderInUse extends Error {
  constructor(folder: string, pid: number | null) {
    const holder = pid ? `process ${pid}` : 'another process'
    super(
      `${folder} is in use by ${holder}. Stop it first, or give this one another DATA_DIR or a DATABASE_URL.`,
    )
    this.name = 'DataFolderInUse'
  }
}

/** Held from here until `release` or the end of the process, however it ends. */
export type DataLock = { release(): void }

const SQLITE_BUSY = 5

/**
 * Keeps a second process out of the folder. The kernel holds the lock (through SQLite, which asks it properly on
 * every system) and drops it with the process, SIGKILL included: there is no stale lock to judge, no process id to
 * trust across containers, and of two that start in the same moment one wins.
 *
 * @throws DataFolderInUse
 */
export function lockDataFolder(folder: string): DataLock {
  const holder = join(folder, 'lock.pid')
  const lock = new DatabaseSync(join(folder, 'lock'), { timeout: 0 })
  try {
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY)
      throw new DataFolderInUse(folder, readPid(holder))
    throw error
  }
  writeFileSync(holder, String(process.pid))
  return { release: () => lock.close() }
}

function readPid(path: string): number | null {
  try {
    return Number(readFileSync(path, 'utf8')) || null
  } catch {
    return null
  }
}

import { mkdtempSync, readlinkSync, rmdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The name PostgreSQL's clients look for in a folder given as host. */
export const socketPath = (folder: string): string => join(folder, '.s.PGSQL.5432')

/** `sun_path` of sockaddr_un, less its closing zero: Linux has 108 bytes, macOS and the BSDs 104. */
const SOCKET_PATH_MAX = 103

export type SocketFolder = { folder: string; remove(): void }

/**
 * A folder for the socket that only we can enter (mode 0700). `dataDir` itself may be too deep for a socket's path,
 * and some file systems hold no sockets. The link in `dataDir` tells the next start what to remove, should this
 * process be killed.
 */
export function makeSocketFolder(dataDir: string): SocketFolder {
  const link = join(dataDir, 'socket')
  removeLeftOver(link)
  const folder = mkdtempSync(join(shortTemporaryFolder(), PREFIX))
  symlinkSync(folder, link)
  return { folder, remove: () => removeLeftOver(link) }
}

const PREFIX = 'anteroom-'
const RANDOM_LENGTH = 6

function shortTemporaryFolder(): string {
  const sample = socketPath(join(tmpdir(), PREFIX + 'x'.repeat(RANDOM_LENGTH)))
  return Buffer.byteLength(sample) <= SOCKET_PATH_MAX ? tmpdir() : '/tmp'
}

function removeLeftOver(link: string) {
  const folder = findTarget(link)
  if (!folder) return
  rmSync(socketPath(folder), { force: true })
  removeEmpty(folder)
  rmSync(link)
}

function findTarget(link: string): string | null {
  try {
    return readlinkSync(link)
  } catch {
    return null
  }
}

function removeEmpty(folder: string) {
  try {
    rmdirSync(folder)
  } catch {
    // Gone with the machine's last restart, or not ours: either way nothing to remove.
  }
}

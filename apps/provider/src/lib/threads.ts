import { readdirSync, readFileSync } from 'node:fs'
import { setPriority } from 'node:os'

const TASKS = '/proc/self/task'
const POOL = 'libuv-worker'
const LOWER = 10

/**
 * Lets libuv's pool of threads, once something has started it, stand back for the thread that answers requests: Linux
 * has a priority for every thread. What runs in there is long and has time (password hashes) or short (names, files).
 * Elsewhere nothing happens.
 * @returns how many threads stand back
 */
export function lowerPoolPriority(): number {
  const pool = listThreads().filter((id) => nameOf(id) === POOL)
  for (const id of pool) setPriority(Number(id), LOWER)
  return pool.length
}

function listThreads(): string[] {
  try {
    return readdirSync(TASKS)
  } catch {
    return []
  }
}

const nameOf = (id: string) => readFileSync(`${TASKS}/${id}/comm`, 'utf8').trim()

// Who runs where, and how long each process has been running, from /proc; on other systems nobody knows.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Server and load share nothing where there are two cores. */
export const SERVER_CORE = 0
export const LOAD_CORE = 1

const canPin =
  availableParallelism() > 1 && spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0
const TICKS_PER_SECOND = 100

/** A command that runs on this core alone, so that it counts one core from its start. */
export const pinned = (core: number, command: string[]): string[] =>
  canPin ? ['taskset', '-c', String(core), ...command] : command

/** False where that cannot be. */
export function pinMyself(core: number): boolean {
  return (
    canPin &&
    spawnSync('taskset', ['-acp', String(core), String(process.pid)], { stdio: 'ignore' }).status === 0
  )
}

/** Milliseconds of all threads so far; null for a process that is gone or never was on this machine. */
export function cpuMs(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND
  } catch {
    return null
  }
}

/** A database elsewhere has process ids too, but they are not ours to look up. */
export function isPostgres(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres'
  } catch {
    return false
  }
}

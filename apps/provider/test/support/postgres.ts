import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'

/** A PostgreSQL of one's own, to be stopped, paused and started again as a test pleases. */
export type OwnPostgres = {
  url: string
  /** `smart` waits for connections to end, `fast` ends them, `immediate` is a crash. */
  stop(mode: StopMode): Promise<void>
  start(): Promise<void>
  /** As when its machine hangs: connections stay open, nothing answers. */
  pause(): void
  resume(): void
  remove(): Promise<void>
}

type StopMode = 'smart' | 'fast' | 'immediate'

/** https://www.postgresql.org/docs/current/server-shutdown.html */
const STOP_SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const

/** @throws when PostgreSQL's programs are not installed */
export async function startPostgres(): Promise<OwnPostgres> {
  const programs = findPostgresPrograms()
  if (!programs) throw new Error('initdb and postgres are not installed')
  const folder = mkdtempSync(join(tmpdir(), 'anteroom-postgres-'))
  const owner = chooseOwner()
  chownSync(folder, owner.uid, owner.gid)
  const data = join(folder, 'data')
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale', 'C', '--no-sync']
  execFileSync(join(programs, 'initdb'), initdb, { ...owner, cwd: folder, stdio: 'ignore' })

  const port = await findFreePort()
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`
  let server: ChildProcess | null = null
  const killAtExit = () => server?.kill('SIGQUIT')
  process.once('exit', killAtExit)

  const start = async () => {
    const settings = ['-k', folder, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off']
    server = spawn(join(programs, 'postgres'), ['-D', data, ...settings], {
      ...owner,
      cwd: folder,
      stdio: 'ignore',
    })
    await waitUntilItAnswers(url, server)
  }
  const stop = async (mode: StopMode) => {
    const running = server
    server = null
    if (!running || running.exitCode !== null) return
    const ended = new Promise((resolve) => running.once('exit', resolve))
    running.kill(STOP_SIGNALS[mode])
    await ended
  }
  const signalAll = (signal: NodeJS.Signals) => {
    if (server?.pid) for (const pid of [server.pid, ...childrenOf(server.pid)]) signalOne(pid, signal)
  }

  await start()
  return {
    url,
    start,
    stop,
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    async remove() {
      signalAll('SIGCONT')
      await stop('immediate')
      process.off('exit', killAtExit)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A backend may end between being listed and being told. */
function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** The folder with PostgreSQL's programs, the newest where there are several; null where it is not installed. */
export function findPostgresPrograms(): string | null {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : []
  const folders = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => `/usr/lib/postgresql/${version}/bin`)
  const searched = [...folders, ...(process.env['PATH'] ?? '').split(':')]
  return (
    searched.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'))) ??
    null
  )
}

/** PostgreSQL refuses to run as root, so root lends it another user. */
function chooseOwner(): { uid: number; gid: number } {
  const { uid, gid } = userInfo()
  if (uid !== 0) return { uid, gid }
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

function findFreePort(): Promise<number> {
  const probe = createServer()
  return new Promise((resolve, reject) => {
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}

async function waitUntilItAnswers(url: string, server: ChildProcess) {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`PostgreSQL did not start (exit code ${server.exitCode})`)
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 1000 })
    client.on('error', () => {})
    try {
      await client.connect()
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    } finally {
      await client.end().catch(() => {})
    }
  }
}

function childrenOf(parent: number): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.filter(([, ppid]) => ppid === parent).map(([pid]) => pid as number)
}

// main.ts as a process, as the container runs it, in a folder of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, vi } from 'vitest'
import { freePort } from './port.ts'
import { API_AUDIENCE, CLIENTS } from './server.ts'

const MAIN = path.resolve(import.meta.dirname, '../../src/main.ts')

const plenty = { points: 1_000_000 }
/** One machine plays a crowd. */
const CROWD = {
  registration: { confirmation: 'later' },
  limits: {
    tokens_per_client: plenty,
    grant_failures_per_ip: plenty,
    authorize_per_ip: plenty,
    totp_per_account: plenty,
    totp_per_ip: plenty,
  },
}

export type Run = { child: ChildProcess; output: () => string; ended: Promise<number | null> }
export type Place = Awaited<ReturnType<typeof preparePlace>>

/** Production insists on a mail server; at this address there is none. */
export const NO_MAIL_SERVER = { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'no-reply@example.com' }

/** A folder, a port and the usual clients; what was started there ends with it. */
export async function preparePlace() {
  const folder = mkdtempSync(path.join(tmpdir(), 'anteroom-process-'))
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const running = new Set<ChildProcess>()
  const configure = (clients: unknown[] = Object.values(CLIENTS)) => {
    const resources = [
      { audience: API_AUDIENCE, name: 'Demo API', scopes: { 'api:read': 'Read the demo data' } },
    ]
    writeFileSync(path.join(folder, 'clients.json'), JSON.stringify({ clients, resources, policy: CROWD }))
  }
  configure()

  return {
    folder,
    port,
    issuer,
    /** Writes the configuration file anew; a process that runs does not look. */
    configure,
    start(env: Record<string, string> = {}): Run {
      const own = {
        ISSUER: issuer,
        PORT: String(port),
        HOST: 'localhost',
        DATA_DIR: folder,
        CONFIG_FILE: path.join(folder, 'clients.json'),
        LOG_LEVEL: 'warn',
      }
      const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env['PATH'], ...own, ...env } })
      running.add(child)
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk) => {
          output += chunk
        })
      return {
        child,
        output: () => output,
        ended: new Promise((resolve) => child.once('exit', resolve)),
      }
    },
    ready: (at = issuer) =>
      vi.waitFor(async () => expect((await fetch(`${at}/readyz`)).status).toBe(200), {
        timeout: 40_000,
        interval: 200,
      }),
    remove() {
      for (const child of running) child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

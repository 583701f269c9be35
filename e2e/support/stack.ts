// `npm start` itself, on ports and a data folder of its own, with access tokens that go stale within seconds.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PORTS as MAIL_PORTS } from './post-office.ts'

const PORTS = { provider: 4100, web: 3100, api: 8100 }

export const URLS = {
  provider: `http://localhost:${PORTS.provider}`,
  web: `http://localhost:${PORTS.web}`,
  api: `http://localhost:${PORTS.api}`,
}

/** The example app refreshes half a minute before the end: four seconds after each sign-in. */
export const STALE_AFTER_MS = 4_000
const TOKEN_LIFETIME = '34s'
const STARTED = 'Ctrl-C stops all of it'
const STARTS_WITHIN_MS = 180_000

const root = path.resolve(import.meta.dirname, '../..')

export async function startStack(): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'anteroom-e2e-'))
  const child = spawn(process.execPath, ['.tools/start.mjs'], {
    cwd: root,
    env: {
      ...process.env,
      DATABASE_URL: undefined,
      DATA_DIR: dataDir,
      CONFIG_FILE: writeConfig(dataDir),
      PORT: String(PORTS.provider),
      WEB_PORT: String(PORTS.web),
      API_PORT: String(PORTS.api),
      ISSUER: undefined,
      SMTP_URL: `smtp://127.0.0.1:${MAIL_PORTS.smtp}`,
      MAIL_FROM: 'Anteroom <no-reply@example.com>',
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await started(child)
  return async () => {
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await gone
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** Off by default. */
const TRUSTED_DEVICES = 'policy: { factors: { trusted_device: 30d } }\n'

/** The demos' own configuration, but for the lifetime and for devices that may be trusted. */
function writeConfig(dataDir: string): string {
  const file = path.join(dataDir, 'e2e.yaml')
  const demo = readFileSync(path.join(root, 'docker/demo.yaml'), 'utf8')
  const changed = demo.replace('token_lifetime: 10m', `token_lifetime: ${TOKEN_LIFETIME}`)
  if (changed === demo) throw new Error('docker/demo.yaml no longer says token_lifetime: 10m')
  writeFileSync(file, `${changed}\n${TRUSTED_DEVICES}`)
  return file
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('npm start did not come up in time')), STARTS_WITHIN_MS)
    child.once('exit', (code) => reject(new Error(`npm start ended with ${code}`)))
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      process.stdout.write(text)
      if (!text.includes(STARTED)) return
      clearTimeout(timer)
      resolve()
    })
  })
}

// What tests need of the machine besides npm's packages: a browser, Python with FastAPI, PostgreSQL.
// Installed from Debian where that is possible; elsewhere the person is told what is missing.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { childEnv, node, root, say } from './ready.mjs'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const FASTAPI = ['python3-fastapi', 'python3-jwt', 'python3-uvicorn', 'python3-httpx', 'python3-cryptography']

/** Path of a Chromium for Playwright's `executablePath`; undefined where Playwright brought its own. */
export function ensureChromium() {
  const found = () => process.env.CHROMIUM_PATH ?? CHROMIUM.find((path) => existsSync(path))
  if (found()) return found()
  if (installFromDebian('a browser', ['chromium', 'fonts-liberation'])) return found()
  say('Installing Playwright’s own Chromium …')
  const result = spawnSync(node, ['node_modules/playwright/cli.js', 'install', 'chromium'], {
    cwd: root,
    env: childEnv(),
    stdio: 'inherit',
  })
  if (result.status !== 0)
    fail('There is no Chromium for the browser tests. Install one, or name it in CHROMIUM_PATH.')
  return undefined
}

/** A Python that imports what the API demo needs. */
export function ensurePython() {
  const found = () =>
    ['python3', 'python', '/usr/bin/python3'].find(
      (command) =>
        spawnSync(command, ['-c', 'import fastapi, jwt, uvicorn, httpx, cryptography'], { stdio: 'ignore' })
          .status === 0,
    )
  if (found()) return found()
  if (installFromDebian('Python with FastAPI', FASTAPI)) return found()
  return fail('Python with FastAPI is missing: pip install -r apps/api/requirements.txt httpx')
}

/**
 * Real PostgreSQL is where races are judged. DATABASE_URL wins; else a server that runs here; else Debian's, started.
 * Where none can be had the suite runs on the embedded database and says so.
 */
export function ensurePostgres() {
  if (process.env.DATABASE_URL || process.env.ANTEROOM_TEST_DATABASE === 'embedded') return
  if (serverBinaries().length === 0) installFromDebian('PostgreSQL', ['postgresql'])
  if (serverBinaries().length && !answers()) startDebianCluster()
  if (!answers())
    say(
      'No PostgreSQL answers here: the tests run on the embedded database, those that need several connections are left out.',
    )
}

const serverBinaries = () => {
  const base = '/usr/lib/postgresql'
  return existsSync(base)
    ? readdirSync(base).filter((version) => existsSync(`${base}/${version}/bin/postgres`))
    : []
}

const answers = () => spawnSync('pg_isready', ['-q', '-h', '127.0.0.1']).status === 0

function startDebianCluster() {
  for (const version of existsSync('/etc/postgresql') ? readdirSync('/etc/postgresql') : []) {
    spawnSync('pg_ctlcluster', ['--skip-systemctl-redirect', version, 'main', 'start'], { stdio: 'ignore' })
  }
  if (process.getuid?.() !== 0) return
  // The one who runs the tests may make databases, as on any developer's own server.
  spawnSync('su', ['postgres', '-c', 'createuser --superuser root'], { stdio: 'ignore' })
  spawnSync('su', ['postgres', '-c', 'createdb --owner root root'], { stdio: 'ignore' })
}

function installFromDebian(what, packages) {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0)
    return false
  say(`Installing ${what} (Debian: ${packages.join(' ')}) …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync('apt-get', ['update', '-qq'], { env, stdio: 'ignore' })
  return (
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    }).status === 0
  )
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

// `npm start`: the provider and both demos, from a bare clone, stopped together by Ctrl-C.
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { childEnv, makeReady, node, root, say } from './ready.mjs'

const PYTHON_HELP =
  'pip install -r apps/api/requirements.txt, or on Debian: apt-get install python3-fastapi python3-jwt python3-uvicorn python3-cryptography'
const READY_WITHIN_MS = 120_000
const watch = process.argv.includes('--watch')

makeReady()

const env = process.env
const dataDir = path.resolve(root, env.DATA_DIR ?? '.data')
const ports = { provider: env.PORT ?? '4000', web: env.WEB_PORT ?? '3000', api: env.API_PORT ?? '8000' }
const issuer = env.ISSUER ?? `http://localhost:${ports.provider}`
const webUrl = `http://localhost:${ports.web}`
const apiUrl = `http://localhost:${ports.api}`
const secrets = demoSecrets()
const children = []
let stopping = false

process.on('SIGINT', () => stop(0))
process.on('SIGTERM', () => stop(0))
// npm passes a signal to its shell, and a shell keeps it to itself: when the shell is gone, so are we.
const parent = process.ppid
setInterval(() => process.ppid === parent || stop(0), 500).unref()

launch('provider', node, [...(watch ? ['--watch'] : []), 'apps/provider/src/main.ts'], {
  ISSUER: issuer,
  PORT: ports.provider,
  DATA_DIR: dataDir,
  CONFIG_FILE: env.CONFIG_FILE ?? path.join(root, 'docker/demo.yaml'),
  DEMO_CLIENT_SECRET: secrets.client,
  DEMO_WEB_URL: webUrl,
  DEMO_API_URL: apiUrl,
})
launch(
  'web',
  node,
  [path.join(root, 'node_modules/next/dist/bin/next'), 'dev', '--hostname', 'localhost', '--port', ports.web],
  {
    cwd: path.join(root, 'apps/web'),
    ANTEROOM_ISSUER: issuer,
    ANTEROOM_CLIENT_ID: 'demo-web',
    ANTEROOM_CLIENT_SECRET: secrets.client,
    NEXTAUTH_URL: webUrl,
    NEXTAUTH_SECRET: secrets.nextAuth,
    API_URL: apiUrl,
    API_AUDIENCE: apiUrl,
  },
)
const python = findPython()
if (python) {
  launch('api', python, ['-m', 'uvicorn', 'main:app', '--port', ports.api, '--log-level', 'warning'], {
    cwd: path.join(root, 'apps/api'),
    ANTEROOM_ISSUER: issuer,
    API_AUDIENCE: apiUrl,
    PYTHONDONTWRITEBYTECODE: '1',
  })
}

const [providerUp, webUp, apiUp] = await Promise.all([
  answers(`${issuer}/readyz`),
  answers(`${webUrl}/api/auth/csrf`),
  python ? answers(`${apiUrl}/healthz`) : false,
])
if (!stopping) {
  say('')
  say(`  Next.js demo     ${webUp ? webUrl : 'did not start'}`)
  say(
    `  API demo         ${apiUp ? `${apiUrl}/docs` : python ? 'did not start' : `needs Python with FastAPI: ${PYTHON_HELP}`}`,
  )
  say(`  Provider         ${providerUp ? issuer : 'did not start'}`)
  say('\n  Ctrl-C stops all of it.\n')
}

/** Secrets the demos share, made once and kept with the other development data. */
function demoSecrets() {
  const file = path.join(dataDir, 'demo-secrets.json')
  if (!existsSync(file)) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    const made = { client: randomBytes(24).toString('hex'), nextAuth: randomBytes(32).toString('base64') }
    writeFileSync(file, JSON.stringify(made), { mode: 0o600 })
  }
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** The first Python that has what the API demo imports. */
function findPython() {
  const candidates = ['python3', 'python', '/usr/bin/python3']
  return candidates.find(
    (command) =>
      spawnSync(command, ['-c', 'import fastapi, jwt, uvicorn, cryptography'], { stdio: 'ignore' }).status ===
      0,
  )
}

function launch(name, command, args, { cwd = root, ...more }) {
  // A group of its own, so that Ctrl-C reaches the children once and through us.
  const child = spawn(command, args, {
    cwd,
    env: childEnv(more),
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  })
  children.push(child)
  child.on('error', (error) => failed(name, error.message))
  child.on('exit', (code, signal) => {
    child.gone = true
    if (!stopping) failed(name, `ended with ${signal ?? code}`, code)
  })
}

function failed(name, how, code) {
  process.stderr.write(`The ${name} ${how}.\n`)
  if (name === 'provider') stop(code || 1)
}

async function answers(url) {
  const until = Date.now() + READY_WITHIN_MS
  while (!stopping && Date.now() < until) {
    try {
      if ((await fetch(url, { signal: AbortSignal.timeout(10_000) })).ok) return true
    } catch {
      // Not there yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return false
}

function stop(code) {
  if (stopping) return
  stopping = true
  const alive = children.filter((child) => !child.gone && child.pid)
  const signal = (name) => {
    for (const child of alive) {
      if (child.gone) continue
      try {
        process.kill(-child.pid, name)
      } catch {
        // It ended in this moment.
      }
    }
  }
  signal('SIGTERM')
  const finish = () => alive.every((child) => child.gone) && process.exit(code)
  for (const child of alive) child.on('exit', finish)
  setTimeout(() => {
    signal('SIGKILL')
    process.exit(code)
  }, 10_000).unref()
  finish()
}

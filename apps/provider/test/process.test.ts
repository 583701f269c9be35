// main.ts as a process: settings that are wrong, a clean stop, and a kill at any moment.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createBrowser } from './support/browser.ts'
import { freePort } from './support/port.ts'
import {
  authorizationRequest,
  begin,
  codeOf,
  newEmail,
  redeem,
  refresh,
  register,
} from './support/relying-party.ts'
import { CLIENTS, type TestServer } from './support/server.ts'

const MAIN = path.resolve(import.meta.dirname, '../src/main.ts')

type Run = { child: ChildProcess; output: () => string; ended: Promise<number | null> }

let folder: string
let port: number
const running = new Set<ChildProcess>()

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'anteroom-process-'))
  port = await freePort()
})
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  running.clear()
  rmSync(folder, { recursive: true, force: true })
})

test('wrong settings are told together by name, and the process ends with 78 before it listens', async () => {
  const file = path.join(folder, 'config.yaml')
  writeFileSync(
    file,
    'clients: [{ client_id: app }]\npolicy: { lifetimes: { session: soon } }\nsurprise: 1\n',
  )
  const { ended, output } = start({
    ISSUER: 'https://id.example.com/',
    PORT: 'many',
    SECRET_KEY: 'short',
    CONFIG_FILE: file,
  })
  expect(await ended).toBe(78)
  for (const name of ['ISSUER', 'PORT', 'SECRET_KEY', 'clients.0', 'policy.lifetimes.session', 'surprise'])
    expect(output()).toContain(name)
  expect(output()).not.toContain('is running')
})

test('a client the protocol does not allow is told by name, with 78', async () => {
  const file = path.join(folder, 'config.yaml')
  writeFileSync(
    file,
    'clients: [{ client_id: app, client_secret: 0123456789abcdef0123, redirect_uris: ["https://app.example.com/#part"] }]\n',
  )
  const { ended, output } = start({ CONFIG_FILE: file })
  expect(await ended).toBe(78)
  expect(output()).toMatch(/clients: app: .*redirect_uris/)
})

test('production refuses plain http, a missing key and a missing database', async () => {
  const { ended, output } = start({ NODE_ENV: 'production', ISSUER: 'http://id.example.com', DATA_DIR: '' })
  expect(await ended).toBe(78)
  for (const name of ['ISSUER', 'SECRET_KEY', 'DATABASE_URL']) expect(output()).toContain(name)
})

test('a second process on the same data folder is refused in one sentence', async () => {
  const first = start()
  await ready()
  const second = start({ PORT: '0' })
  expect(await second.ended).toBe(1)
  expect(second.output()).toContain(`is in use by process ${first.child.pid}`)
  expect(second.output()).not.toContain('    at ')
  expect((await fetch(`${issuer()}/readyz`)).status).toBe(200)
})

test('SIGTERM ends it with 0, SIGKILL loses nothing that was answered: session, consent and refresh token live on', async () => {
  start()
  await ready()
  const server = { issuer: issuer() } as TestServer
  const browser = createBrowser()
  const request = authorizationRequest(server, CLIENTS.own)
  const done = await register(browser, await begin(browser, request), { email: newEmail() })
  const { body } = await redeem(server, CLIENTS.own, { request, code: codeOf(done) })

  const [first] = running
  first!.kill('SIGKILL')
  const second = start()
  await ready()
  expect((await refresh(server, CLIENTS.own, body.refresh_token)).status).toBe(200)
  codeOf(await begin(browser, authorizationRequest(server, CLIENTS.own)))

  second.child.kill('SIGTERM')
  expect(await second.ended).toBe(0)
})

const issuer = () => `http://localhost:${port}`

function start(env: Record<string, string> = {}): Run {
  const file = path.join(folder, 'clients.json')
  const resources = [
    { audience: 'http://localhost:8999', name: 'Demo API', scopes: { 'api:read': 'Read the demo data' } },
  ]
  writeFileSync(file, JSON.stringify({ clients: Object.values(CLIENTS), resources }))
  const own = {
    ISSUER: issuer(),
    PORT: String(port),
    HOST: 'localhost',
    DATA_DIR: folder,
    CONFIG_FILE: file,
    LOG_LEVEL: 'warn',
  }
  const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env['PATH'], ...own, ...env } })
  running.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  return { child, output: () => output, ended: new Promise((resolve) => child.once('exit', resolve)) }
}

const ready = () =>
  vi.waitFor(async () => expect((await fetch(`${issuer()}/readyz`)).status).toBe(200), {
    timeout: 40_000,
    interval: 200,
  })

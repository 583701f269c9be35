// There is no container engine where the tests run: what the compose file says is run as plain processes instead.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from './support/database.ts'
import { freePort } from './support/port.ts'

const root = path.resolve(import.meta.dirname, '../../..')
const compose = parse(readFileSync(path.join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as Compose
const dockerfile = readFileSync(path.join(root, 'docker/Dockerfile'), 'utf8')

type Service = {
  command?: string[]
  environment?: Record<string, string | number>
  secrets?: string[]
  volumes?: string[]
  ports?: string[]
  read_only?: boolean
  cap_drop?: string[]
  security_opt?: string[]
  build?: { target: string }
  healthcheck?: { test: string[] }
}
type Compose = { services: Record<string, Service>; secrets: Record<string, { file: string }> }

const hasPostgres = (await realPostgresUrl()) !== null

describe.runIf(hasPostgres)('the compose file’s provider, as a process on real PostgreSQL', () => {
  const secrets = mkdtempSync(path.join(tmpdir(), 'anteroom-secrets-'))
  const service = compose.services['provider']!
  let database: TestDatabase
  let server: ChildProcess
  let port: number
  let output = ''

  beforeAll(async () => {
    database = await createTestDatabase()
    port = await freePort()
    writeSecrets(secrets, database.url!)
    server = run(service.command!)
    server.stdout!.on('data', (chunk) => {
      output += chunk
    })
    await vi.waitFor(() => expect(healthCheck().status).toBe(0), { timeout: 30_000, interval: 300 })
  })

  afterAll(async () => {
    if (server.exitCode === null) server.kill('SIGKILL')
    await database.drop()
    rmSync(secrets, { recursive: true })
  })

  test('it becomes healthy by its own health check', () => {
    expect(healthCheck().stdout.trim()).toBe('ready')
  })

  test('it answers under the name that browsers and containers share', async () => {
    const metadata = JSON.parse(
      await fetchAs(`id.localhost:${port}`, '/.well-known/openid-configuration'),
    ) as { issuer: string }
    expect(metadata.issuer).toBe(`http://id.localhost:${port}`)
  })

  test('it keeps people’s secrets out of its output', () => {
    for (const name of service.secrets!)
      expect(output).not.toContain(readFileSync(path.join(secrets, name), 'utf8').trim())
  })

  test('it stops cleanly when asked to', async () => {
    const gone = new Promise<number | null>((resolve) => server.once('exit', resolve))
    server.kill('SIGTERM')
    expect(await gone).toBe(0)
  })

  function healthCheck() {
    const [, ...command] = service.healthcheck!.test
    return spawnSync(process.execPath, command.slice(1), { cwd: root, env: environment(), encoding: 'utf8' })
  }

  function run([, ...args]: string[]): ChildProcess {
    return spawn(process.execPath, args, {
      cwd: root,
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  }

  /** The service's own environment; only where things lie and which port is free differ on this machine. */
  function environment(): NodeJS.ProcessEnv {
    const given = Object.entries(service.environment!).map(([name, value]) => [
      name,
      place(fillIn(String(value))),
    ])
    return {
      PATH: process.env['PATH'],
      ...Object.fromEntries(given),
      HOST: '127.0.0.1',
      PORT: String(port),
      ISSUER: `http://id.localhost:${port}`,
    }
  }

  function place(value: string): string {
    const mounted = service.volumes!.map((volume) => volume.split(':')).find(([, target]) => target === value)
    if (mounted) return path.join(root, mounted[0]!)
    return value.replace('/run/secrets', secrets)
  }
})

describe('the files of the container', () => {
  test('no service runs with more rights than it needs, and the database has no port outside', () => {
    for (const name of ['provider', 'web', 'api']) {
      expect(compose.services[name], name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      })
    }
    expect(compose.services['postgres']!.ports).toBeUndefined()
    const ports = Object.values(compose.services).flatMap((service) => service.ports ?? [])
    for (const published of ports) expect(published).toMatch(/^127\.0\.0\.1:/)
  })

  test('every secret that is used is declared', () => {
    const used = Object.values(compose.services).flatMap((service) => service.secrets ?? [])
    expect(Object.keys(compose.secrets)).toEqual(expect.arrayContaining(used))
  })

  test('the images run what the compose file says, as nobody in particular', () => {
    for (const name of ['provider', 'web', 'api']) {
      const { build, command } = compose.services[name]!
      const stage = stageOf(build!.target)
      expect(stage).toMatch(/^USER (node|nobody)$/m)
      expect(stage.slice(stage.indexOf('USER')), 'no root after USER').not.toMatch(/^USER root|^RUN/m)
      expect(JSON.parse(/^CMD (.+)$/m.exec(stage)![1]!)).toEqual(command)
    }
  })

  test('what the Dockerfile copies is there, base images are pinned to a version, nothing is fetched by address', () => {
    for (const [, sources] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
      for (const source of sources!.split(' ')) expect(existsSync(path.join(root, source)), source).toBe(true)
    }
    for (const [, image] of dockerfile.matchAll(/^FROM (\S+)/gm)) {
      expect(image!.includes(':') || new RegExp(`AS ${image}$`, 'm').test(dockerfile), image).toBe(true)
    }
    expect(dockerfile).not.toMatch(/^ADD |:latest|curl|wget/m)
  })

  const stageOf = (target: string) =>
    dockerfile.split(/^(?=FROM )/m).find((stage) => new RegExp(`^FROM \\S+ AS ${target}$`, 'm').test(stage))!
})

function writeSecrets(folder: string, databaseUrl: string): void {
  const values = {
    database_url: databaseUrl,
    secret_key: randomBytes(32).toString('base64'),
    smtp_url: 'smtp://anteroom:mail-password@127.0.0.1:1',
    demo_client_secret: randomBytes(24).toString('hex'),
  }
  for (const [name, value] of Object.entries(values))
    writeFileSync(path.join(folder, name), `${value}\n`, { mode: 0o600 })
}

/** `${NAME:-default}` as compose reads it where .env says nothing. */
const fillIn = (value: string) => value.replace(/\$\{\w+:-([^}]*)\}/g, '$1')

/** By address, under another name: not every machine's resolver knows names below localhost. */
function fetchAs(host: string, pathname: string): Promise<string> {
  const [, port] = host.split(':')
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: pathname, headers: { host } }, (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () => resolve(body))
    }).on('error', reject)
  })
}

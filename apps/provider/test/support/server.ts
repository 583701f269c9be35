// The whole server, as main.ts builds it, on a port and a database of its own.
import { randomBytes } from 'node:crypto'
import { createApp } from '../../src/app.ts'
import {
  type ClientConfig,
  type Config,
  type Policy,
  type ResourceConfig,
  readConfig,
} from '../../src/config.ts'
import type { Database } from '../../src/db/database.ts'
import { listen } from '../../src/http/listen.ts'
import { type Log, silentLog } from '../../src/lib/log.ts'
import { createSealer } from '../../src/lib/seal.ts'
import { createTestDatabase } from './database.ts'

export type TestServer = {
  issuer: string
  /** Where it listens; the issuer unless `settings` name another. */
  address: string
  config: Config
  database: Database
  /** Ids and secrets of the clients below. */
  clients: typeof CLIENTS
  close(): Promise<void>
}

export type Options = {
  /** As the environment would say them. */
  settings?: Record<string, string>
  policy?: (policy: Policy) => Policy
  clients?: ClientConfig[]
  resources?: ResourceConfig[]
  database?: Database
  secretKey?: Buffer
  log?: Log
  now?: () => Date
}

export const APP = 'http://localhost:3999'
export const API_AUDIENCE = 'http://localhost:8999'

const plenty = [{ points: 1_000_000, per: 60_000, block: 0 }]
/** What a test that is not about it would stumble over. */
const GENEROUS = {
  password_pace: { from: 3, first: 0, most: 0 },
  client_failures: plenty,
  client_failures_per_ip: plenty,
  grant_failures_per_ip: plenty,
  tokens_per_client: plenty,
  authorize_per_ip: plenty,
}

const secret = () => randomBytes(24).toString('hex')

/** A first-party web app, a third-party one, and a public one, all at the same made-up address. */
export const CLIENTS = {
  own: client('own-web', {
    client_secret: secret(),
    first_party: true,
    client_name: 'House app',
    client_uri: APP,
  }),
  third: client('third-web', { client_secret: secret(), client_name: 'Third Party & Sons' }),
  spa: client('spa', { token_endpoint_auth_method: 'none', client_name: 'Browser app' }),
}

/** Not among those above: nobody comes in there without a second factor. */
export const STRICT_APP = client('strict-app', {
  client_secret: secret(),
  first_party: true,
  require_second_factor: true,
})

const RESOURCE: ResourceConfig = {
  audience: API_AUDIENCE,
  name: 'Demo API',
  scopes: { 'api:read': 'Read the demo data', 'api:write': 'Change the demo data' },
  token_format: 'jwt',
  token_lifetime: 600_000,
  signing_alg: 'ES256',
}

function client(id: string, more: Partial<ClientConfig>): ClientConfig & { client_secret: string } {
  return {
    client_id: id,
    redirect_uris: [`${APP}/callback/${id}`],
    post_logout_redirect_uris: [`${APP}/signed-out`],
    scope: 'openid profile email offline_access api:read',
    first_party: false,
    ...more,
  } as ClientConfig & { client_secret: string }
}

export async function startServer(options: Options = {}): Promise<TestServer> {
  const testDatabase = options.database ? null : await createTestDatabase()
  const database = options.database ?? (await testDatabase!.open())
  let answer: Awaited<ReturnType<typeof createApp>>['handler'] = (_, res) => void res.writeHead(503).end()
  const server = await listen((req, res) => answer(req, res), { host: 'localhost', port: 0 })
  const config = configure(server.port, options)
  const app = await createApp({
    config,
    database,
    sealer: createSealer([options.secretKey ?? randomBytes(32)]),
    log: options.log ?? silentLog,
    now: options.now ?? (() => new Date()),
  })
  answer = app.handler
  return {
    issuer: config.ISSUER,
    address: `http://localhost:${server.port}`,
    config,
    database,
    clients: CLIENTS,
    async close() {
      await server.stop()
      await app.close()
      await testDatabase?.drop()
    },
  }
}

function configure(
  port: number,
  { settings, policy = (p) => p, clients = [], resources = [] }: Options,
): Config {
  const config = readConfig({
    ISSUER: `http://localhost:${port}`,
    PORT: String(port),
    LOG_LEVEL: 'silent',
    ...settings,
  })
  const { hashing, registration, limits } = config.policy
  const convenient: Policy = {
    ...config.policy,
    // Dozens sign in at once here, on machines that do other things besides, and all from one address.
    hashing: { ...hashing, wait: 60_000 },
    limits: { ...limits, ...GENEROUS },
    // What is no business of letters gets by without them.
    registration: { ...registration, confirmation: 'later' },
  }
  return {
    ...config,
    policy: policy(convenient),
    clients: [...Object.values(CLIENTS), ...clients],
    resources: [RESOURCE, ...resources],
  }
}

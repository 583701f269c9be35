import { readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { DAY, HOUR, MINUTE, SECOND } from './lib/clock.ts'
import { parseDuration } from './lib/duration.ts'
import { parseNetworks } from './lib/networks.ts'

// Every setting, declared once. The README's table is made from this file; mistakes are told together, by name.

const duration = (fallback: number) =>
  z
    .string()
    .transform((text, ctx) => {
      const ms = parseDuration(text)
      if (ms === null) ctx.addIssue({ code: 'custom', message: 'write it as 30s, 10m, 12h or 30d' })
      return ms ?? z.NEVER
    })
    .default(fallback)

/** So many tries in so long; then nothing until `block` is over (the rest of the window where it is not given). */
const limit = (points: number, per: number, block?: number) =>
  z
    .strictObject({
      points: z.number().int().min(1).default(points),
      per: duration(per),
      block: block === undefined ? duration(0) : duration(block),
    })
    .prefault({})

const origin = z
  .string()
  .refine(isBareOrigin, 'must be an origin such as https://id.example.com, without a path or trailing slash')

const secretKeys = z
  .string()
  .transform((text) => text.split(',').map((part) => Buffer.from(part.trim(), 'base64')))
  .refine(
    (keys) => keys.every((key) => key.length === 32),
    'must be 32 bytes in base64 (make one: openssl rand -base64 32)',
  )

const networks = z.string().transform((text, ctx) => {
  const parsed = parseNetworks(text)
  if (!parsed)
    ctx.addIssue({ code: 'custom', message: 'must be a comma-separated list of addresses or CIDR ranges' })
  return parsed ?? z.NEVER
})

type Setting = { schema: z.ZodType; about: string; shown: string; secret?: boolean }
const setting = <S extends z.ZodType>(schema: S, about: string, shown = '–', secret = false) => ({
  schema,
  about,
  shown,
  secret,
})

/** What the environment may say. `shown` is the default as people read it. */
export const SETTINGS = {
  ISSUER: setting(
    origin.default('http://localhost:4000'),
    'where people and apps reach us: a bare origin. Every URL we emit starts with it',
    '`http://localhost:4000`',
  ),
  HOST: setting(
    z.string().min(1).default('127.0.0.1'),
    'address to listen on',
    '`127.0.0.1` (`0.0.0.0` in the container)',
  ),
  PORT: setting(z.coerce.number().int().min(0).max(65_535).default(4000), 'port to listen on', '`4000`'),
  DATABASE_URL: setting(
    z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must begin with postgresql://')
      .optional(),
    'PostgreSQL 15 or newer. Absent: an embedded one under `DATA_DIR`',
    '–',
    true,
  ),
  DATA_DIR: setting(
    z.string().min(1).optional(),
    'embedded database and generated development secrets',
    '`./.data`',
  ),
  SECRET_KEY: setting(
    secretKeys.optional(),
    'base64, 32 bytes: seals what must stay secret at rest. Several, comma-separated, newest first, to rotate. Required in production',
    'made and kept in `DATA_DIR` in development',
    true,
  ),
  TRUSTED_PROXIES: setting(
    networks.optional(),
    'addresses or CIDR ranges whose `X-Forwarded-*` headers are believed',
    'none',
  ),
  LOG_LEVEL: setting(
    z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    'JSON lines in production, readable in development',
    '`info`',
  ),
  CONFIG_FILE: setting(
    z.string().min(1).optional(),
    'YAML file with clients, resources, policy and branding; it may also hold the settings above',
  ),
  NODE_ENV: setting(z.string().optional(), '`production` makes development conveniences errors'),
} satisfies Record<string, Setting>

const client = z
  .looseObject({
    client_id: z
      .string()
      .min(1)
      .max(255)
      .regex(
        /^(?!anteroom-|usr_)/,
        'ids that begin with anteroom- or usr_ are kept for our own pages and people',
      ),
    client_secret: z.string().min(16, 'must have at least 16 characters').optional(),
    client_name: z.string().min(1).max(100).optional(),
    redirect_uris: z.array(z.string()).default([]),
    scope: z.string().optional(),
    first_party: z.boolean().default(false),
    /** Origins whose scripts may call us as this client; absent: those of the redirect addresses of a public client. */
    allowed_origins: z.array(origin).optional(),
    /** The audience of the API that this client is: it may introspect tokens made for it. */
    resource_server: z.string().optional(),
  })
  .refine((c) => c.client_secret !== undefined || c['token_endpoint_auth_method'] !== undefined, {
    message: 'needs a client_secret, or token_endpoint_auth_method: none for a public client',
  })

const resource = z.strictObject({
  audience: z.url({ protocol: /^(https?|urn)$/ }),
  name: z.string().min(1).max(100),
  /** Scope → the sentence people read on the consent page. */
  scopes: z.record(
    z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'a scope has no spaces, quotes or backslashes'),
    z.string().min(1),
  ),
  token_format: z.enum(['jwt', 'opaque']).default('jwt'),
  token_lifetime: duration(10 * MINUTE),
  signing_alg: z.enum(['ES256', 'RS256']).default('ES256'),
})

/** In development everybody shares one address, so signing up test people is not held to one address's allowance. */
const registrations = (production: boolean) => limit(production ? 5 : 1000, HOUR)

const policy = (production: boolean) =>
  z.strictObject({
    password: z
      .strictObject({
        min_length: z.number().int().min(8).max(64).default(10),
        min_strength: z.number().int().min(0).max(4).default(3),
      })
      .prefault({}),
    registration: z.strictObject({ open: z.boolean().default(true) }).prefault({}),
    lifetimes: z
      .strictObject({
        authorization_code: duration(MINUTE),
        access_token: duration(10 * MINUTE),
        id_token: duration(10 * MINUTE),
        refresh_token_public_idle: duration(14 * DAY),
        refresh_token_public: duration(30 * DAY),
        refresh_token_confidential_idle: duration(30 * DAY),
        refresh_token_confidential: duration(90 * DAY),
        refresh_window: duration(10 * SECOND).refine((ms) => ms <= 30 * SECOND, 'may be 30s at most'),
        grant: duration(90 * DAY),
        interaction: duration(15 * MINUTE),
        session_idle: duration(DAY),
        session: duration(7 * DAY),
      })
      .prefault({}),
    limits: z
      .strictObject({
        password_per_account: limit(10, 15 * MINUTE, 15 * MINUTE),
        password_per_ip: limit(30, 5 * MINUTE),
        registration_per_ip: registrations(production),
      })
      .prefault({}),
    /** How long what nobody needs stays: after it expired, in the audit log, and as a whole address in there. */
    retention: z
      .strictObject({
        expired: duration(HOUR).refine((ms) => ms >= MINUTE, 'must be 1m at least'),
        audit: duration(365 * DAY),
        audit_ip: duration(90 * DAY),
      })
      .prefault({}),
    /** Password hashes at once (default: one a core), how many may wait, and how long, before we answer 503. */
    hashing: z
      .strictObject({
        slots: z.number().int().min(1).optional(),
        queue: z.number().int().min(0).default(64),
        wait: duration(2 * SECOND),
      })
      .prefault({}),
  })

/** Of two with one name it would be chance which counts. */
const named = <Item extends z.ZodType>(item: Item, nameOf: (item: z.output<Item>) => string) =>
  z
    .array(item)
    .superRefine((items, ctx) => {
      const names = items.map(nameOf)
      const repeated = new Set(names.filter((name, index) => names.indexOf(name) < index))
      for (const name of repeated)
        ctx.addIssue({ code: 'custom', message: `${name} is there more than once` })
    })
    .default([])

const file = (production: boolean) =>
  z.strictObject({
    clients: named(client, ({ client_id }) => client_id),
    resources: named(resource, ({ audience }) => audience),
    policy: policy(production).prefault({}),
    branding: z.strictObject({ name: z.string().min(1).max(60).default('Anteroom') }).prefault({}),
  })

type Environment = Record<string, string | undefined>
type Settings = { [K in keyof typeof SETTINGS]: z.output<(typeof SETTINGS)[K]['schema']> }

export type ClientConfig = z.output<typeof client>
export type ResourceConfig = z.output<typeof resource>
export type Policy = z.output<ReturnType<typeof policy>>
export type LimitConfig = z.output<ReturnType<typeof limit>>
export type Config = Settings & z.output<ReturnType<typeof file>> & { production: boolean; DATA_DIR: string }

/** All that is wrong with the settings, one line each, by name. The process ends with 78 (EX_CONFIG of sysexits.h). */
export class ConfigError extends Error {
  override name = 'ConfigError'
  problems: string[]
  constructor(problems: string[]) {
    super(
      `Anteroom cannot start with these settings:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    )
    this.problems = problems
  }
}

/**
 * Reads the environment first, then the file named by CONFIG_FILE.
 * @throws ConfigError naming every mistake at once
 */
export function readConfig(env: Environment): Config {
  const problems: string[] = []
  const content = readFile(env['CONFIG_FILE'], env, problems)
  const { settings, sections } = split(content)
  const values = readSettings(env, settings, problems)
  const production = values.NODE_ENV === 'production'
  const parsed = file(production).safeParse(sections)
  if (!parsed.success) problems.push(...parsed.error.issues.map(describeIssue))
  if (production) problems.push(...productionProblems(values))
  if (problems.length || !parsed.success) throw new ConfigError(problems)
  return { ...values, ...parsed.data, production, DATA_DIR: values.DATA_DIR ?? './.data' }
}

function readSettings(env: Environment, fromFile: Environment, problems: string[]): Settings {
  const entries = Object.entries(SETTINGS).map(([name, { schema }]) => {
    const parsed = schema.safeParse(secretFromFile(name, env, problems) ?? fromFile[name])
    if (!parsed.success) problems.push(...parsed.error.issues.map((issue) => `${name}: ${issue.message}`))
    return [name, parsed.data]
  })
  return Object.fromEntries(entries) as Settings
}

/** `NAME`, or the content of the file that `NAME_FILE` names. An empty variable counts as absent. */
function secretFromFile(name: string, env: Environment, problems: string[]): string | undefined {
  if (env[name]) return env[name]
  const path = env[`${name}_FILE`]
  if (!path || name === 'CONFIG') return undefined
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    problems.push(`${name}_FILE: ${path} cannot be read`)
    return undefined
  }
}

function readFile(path: string | undefined, env: Environment, problems: string[]): unknown {
  if (!path) return {}
  try {
    return fillIn(parseYaml(readFileSync(path, 'utf8')) ?? {}, env, problems)
  } catch (error) {
    problems.push(`CONFIG_FILE: ${path}: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
    return {}
  }
}

/** `${NAME}` inside any string of the file is taken from the environment (or NAME_FILE), so that no secret stands in it. */
function fillIn(value: unknown, env: Environment, problems: string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => fillIn(item, env, problems))
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, env, problems)]))
  }
  if (typeof value !== 'string') return value
  return value.replace(/\$\{([A-Z0-9_]+)\}/g, (_, name: string) => {
    const found = secretFromFile(name, env, problems)
    if (found === undefined) problems.push(`${name}: the configuration file asks for it`)
    return found ?? ''
  })
}

function split(content: unknown): { settings: Environment; sections: Record<string, unknown> } {
  const settings: Environment = {}
  const sections: Record<string, unknown> = {}
  for (const [key, value] of Object.entries((content ?? {}) as Record<string, unknown>)) {
    if (Object.hasOwn(SETTINGS, key)) settings[key] = String(value)
    else sections[key] = value
  }
  return { settings, sections }
}

function describeIssue(issue: z.core.$ZodIssue): string {
  return `${issue.path.map(String).join('.') || 'CONFIG_FILE'}: ${issue.message}`
}

function productionProblems(settings: Settings): string[] {
  const issuer = URL.parse(settings.ISSUER ?? '')
  const loopback = issuer && /^(127\.0\.0\.1|\[::1\]|(.+\.)?localhost)$/.test(issuer.hostname)
  return [
    issuer?.protocol === 'http:' && !loopback && 'ISSUER: must be https in production',
    !settings.SECRET_KEY && 'SECRET_KEY: is required in production (make one: openssl rand -base64 32)',
    !settings.DATABASE_URL &&
      !settings.DATA_DIR &&
      'DATABASE_URL: is required in production, or set DATA_DIR on purpose for the embedded database',
  ].filter((problem) => typeof problem === 'string')
}

function isBareOrigin(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text
}

// Every setting, declared once (in config/) and read once, at start; mistakes are told together, by name.
import { readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'
import type { z } from 'zod'
import { type FileConfig, file } from './config/file.ts'
import { SETTINGS } from './config/settings.ts'

export type { ClientConfig, Policy, ResourceConfig } from './config/file.ts'
export type { LimitName, LimitsConfig, PaceName } from './config/limits.ts'

type Environment = Record<string, string | undefined>
type Settings = { [K in keyof typeof SETTINGS]: z.output<(typeof SETTINGS)[K]['schema']> }

export type Config = Settings & FileConfig & { production: boolean; DATA_DIR: string }

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
  if (values.WEB_CONCURRENCY > 1 && !values.DATABASE_URL)
    problems.push('WEB_CONCURRENCY: more than 1 needs DATABASE_URL, the embedded database serves one process')
  problems.push(...mailProblems(values))
  if (parsed.success) problems.push(...passkeyProblems(values, parsed.data.policy.passkeys.rp_id))
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
    !settings.SMTP_URL && 'SMTP_URL: is required in production, people are sent letters',
    !settings.SMTP_URL && !settings.MAIL_FROM && 'MAIL_FROM: is required in production',
  ].filter((problem) => typeof problem === 'string')
}

/** An RP ID is the origin's host or a parent of it (WebAuthn L3, section 5.1.3), else no browser makes a passkey. */
function passkeyProblems({ ISSUER }: Settings, rpId: string | undefined): string[] {
  const host = URL.parse(ISSUER ?? '')?.hostname
  if (!rpId || !host || host === rpId || host.endsWith(`.${rpId}`)) return []
  return [`policy.passkeys.rp_id: must be ${host} or a parent domain of it`]
}

function mailProblems({ SMTP_URL, MAIL_FROM, ...settings }: Settings): string[] {
  const dkim = ['SMTP_DKIM_DOMAIN', 'SMTP_DKIM_SELECTOR', 'SMTP_DKIM_KEY'] as const
  const absent = dkim.filter((name) => !settings[name])
  return [
    ...(SMTP_URL && !MAIL_FROM ? ['MAIL_FROM: is required with SMTP_URL'] : []),
    ...(absent.length < dkim.length
      ? absent.map((name) => `${name}: DKIM needs all of ${dkim.join(', ')}`)
      : []),
  ]
}

// What the environment may say, and the file as well. The README's table is made from this one.
import { createPrivateKey } from 'node:crypto'
import { z } from 'zod'
import { parseSender } from '../lib/email.ts'
import { parseNetworks } from '../lib/networks.ts'
import { origin } from './parts.ts'

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

const sender = z.string().transform((text, ctx) => {
  const parsed = parseSender(text)
  if (!parsed) ctx.addIssue({ code: 'custom', message: 'must be an address, or Name <address>' })
  return parsed ?? z.NEVER
})

const privateKey = z.string().refine((text) => {
  try {
    return createPrivateKey(text).asymmetricKeyType !== undefined
  } catch {
    return false
  }
}, 'must be a private key in PEM')

type Setting = { schema: z.ZodType; about: string; shown: string; secret?: boolean }
const setting = <S extends z.ZodType>(schema: S, about: string, shown = '–', secret = false) => ({
  schema,
  about,
  shown,
  secret,
})

/** `shown` is the default as people read it. */
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
  WEB_CONCURRENCY: setting(
    z.coerce.number().int().min(1).max(64).default(1),
    'worker processes on one machine; more than one needs `DATABASE_URL`',
    '`1`',
  ),
  SECRET_KEY: setting(
    secretKeys.optional(),
    'base64, 32 bytes: seals what must stay secret at rest. Several, comma-separated, newest first, to rotate. Required in production',
    'made and kept in `DATA_DIR` in development',
    true,
  ),
  SMTP_URL: setting(
    z
      .string()
      .refine(
        (text) => /^smtps?:\/\/./.test(text) && URL.canParse(text),
        'must begin with smtp:// or smtps://',
      )
      .optional(),
    'mail server: `smtps://user:password@host`, or `smtp://` with STARTTLS where the server offers it; `?requireTLS=true` insists on it. Absent in development: letters go to `/dev/mailbox`. Required in production',
    '–',
    true,
  ),
  MAIL_FROM: setting(
    sender.optional(),
    'sender of letters: `Anteroom <no-reply@example.com>`. Required with `SMTP_URL`',
  ),
  SMTP_DKIM_DOMAIN: setting(
    z.hostname().optional(),
    'signs letters for this domain (DKIM), where the mail server does not; with the two below',
  ),
  SMTP_DKIM_SELECTOR: setting(
    z
      .string()
      .regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/i, 'must be a name as in DNS')
      .optional(),
    'selector of the public key in DNS',
  ),
  SMTP_DKIM_KEY: setting(privateKey.optional(), 'private key, PEM', '–', true),
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

// What the file may say that CONFIG_FILE names: clients, APIs, policy, branding.
import { z } from 'zod'
import { DAY, HOUR, MINUTE, SECOND } from '../lib/clock.ts'
import { factors, minLength } from './factors.ts'
import { limits } from './limits.ts'
import { duration, origin } from './parts.ts'

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
    /** Nobody comes in before they have confirmed their address. */
    require_confirmed_email: z.boolean().optional(),
    /** Nobody comes in without a second factor; who has none enrols one first. */
    require_second_factor: z.boolean().optional(),
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

const statedPolicy = (production: boolean) =>
  z.strictObject({
    password: z
      .strictObject({
        /** Absent: as the preset of `factors` says. */
        min_length: z.number().int().min(8).max(64).optional(),
        min_strength: z.number().int().min(0).max(4).default(3),
      })
      .prefault({}),
    factors,
    passkeys: z
      .strictObject({
        /** The domain passkeys are made for: the issuer's host, or a parent of it. Another one makes all passkeys useless. */
        rp_id: z.hostname().optional(),
        /** Origins that may ask for them besides the issuer's. */
        origins: z.array(origin).default([]),
        per_account: z.number().int().min(1).max(100).default(20),
        /** A signature counter that went back: somebody may have a copy. `tell` the owner and let them in, or `refuse`. */
        when_copied: z.enum(['tell', 'refuse']).default('tell'),
      })
      .prefault({}),
    registration: z
      .strictObject({
        open: z.boolean().default(true),
        /**
         * `first`: the account is there when its address is confirmed, and nobody can tell who had one before. `later`: one
         * goes on at once as `email_verified: false`, which tells whoever tries to sign up with an address that has one.
         */
        confirmation: z.enum(['first', 'later']).default('first'),
        /** An account whose address nobody confirmed goes after this. */
        unconfirmed: duration(72 * HOUR),
      })
      .prefault({}),
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
        email_code: duration(10 * MINUTE).refine((ms) => ms <= 10 * MINUTE, 'may be 10m at most'),
        passkey_challenge: duration(5 * MINUTE).refine((ms) => ms <= 10 * MINUTE, 'may be 10m at most'),
        confirmation: duration(DAY).refine((ms) => ms <= DAY, 'may be 24h at most'),
        reset_link: duration(30 * MINUTE).refine((ms) => ms <= DAY, 'may be 24h at most'),
        address_undo: duration(7 * DAY),
        fresh_proof: duration(10 * MINUTE),
        session_idle: duration(DAY),
        session: duration(7 * DAY),
      })
      .prefault({}),
    limits: limits(production),
    /** How long what nobody needs stays: after it expired, in the audit log, and as a whole address in there. */
    retention: z
      .strictObject({
        expired: duration(HOUR).refine((ms) => ms >= MINUTE, 'must be 1m at least'),
        audit: duration(365 * DAY),
        audit_ip: duration(90 * DAY),
        letters: duration(30 * DAY).refine(
          (ms) => ms >= 2 * DAY,
          'must be 2d at least, a letter is tried for a day',
        ),
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

const policy = (production: boolean) =>
  statedPolicy(production).transform(({ password, ...rest }) => ({
    ...rest,
    password: { ...password, min_length: password.min_length ?? minLength(rest.factors) },
  }))

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

/** The whole file, but for settings that may stand in it as well. */
export const file = (production: boolean) =>
  z.strictObject({
    clients: named(client, ({ client_id }) => client_id),
    resources: named(resource, ({ audience }) => audience),
    policy: policy(production).prefault({}),
    branding: z.strictObject({ name: z.string().min(1).max(60).default('Anteroom') }).prefault({}),
  })

export type ClientConfig = z.output<typeof client>
export type ResourceConfig = z.output<typeof resource>
export type Policy = z.output<ReturnType<typeof policy>>
export type FileConfig = z.output<ReturnType<typeof file>>

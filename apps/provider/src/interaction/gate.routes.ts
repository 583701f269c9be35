import type { Context } from 'koa'
import type { Provider } from 'oidc-provider'
import type { Ending } from '../artifacts/end-session.ts'
import type { AuditEvent, Visit } from '../audit/event.ts'
import type { AuditLog } from '../audit/store.ts'
import type { Registry } from '../clients/registry.ts'
import type { ConsentStore } from '../clients/store.ts'
import type { Config } from '../config.ts'
import type { Scope } from '../db/unit-of-work.ts'
import { cookieNames, cookieOptions } from '../http/cookies.ts'
import type { Csrf } from '../http/csrf.ts'
import type { DeviceCookie } from '../http/device-cookie.ts'
import { type Fields, readFields } from '../http/fields.ts'
import type { KnownBrowsers } from '../http/known-browsers.ts'
import type { Offers } from '../http/offers.ts'
import { badRequest, Problem } from '../http/problem.ts'
import { sendOnward } from '../http/reply.ts'
import type { Views } from '../http/view.ts'
import { visitOf } from '../http/visit.ts'
import { type Clock, HOUR } from '../lib/clock.ts'
import type { Watch } from '../limits/anomaly.ts'
import type { Limits } from '../limits/store.ts'
import { createTries } from '../limits/tries.ts'
import type { Occasion, Outbox } from '../mail/letter.ts'
import type { Confirmations } from '../methods/email-code/confirmation.ts'
import type { Mailbox } from '../methods/email-code/mailbox.ts'
import type { Recoveries } from '../methods/lost-factors/recoveries.ts'
import type { SignInMethod } from '../methods/method.ts'
import type { Told } from '../methods/told.ts'
import type { AddressStore } from '../users/addresses.store.ts'
import type { DeviceStore } from '../users/devices.store.ts'
import type { UserStore } from '../users/store.ts'
import type { User } from '../users/user.ts'
import { createJourneys, type Journey, type JourneyResult, journeyPath, type Progress } from './journey.ts'

export type InteractionDependencies = {
  provider: Provider
  config: Config
  views: Views
  csrf: Csrf
  scope: Scope
  users: UserStore
  addresses: AddressStore
  mailbox: Mailbox
  confirmations: Confirmations
  outbox: Outbox
  browsers: KnownBrowsers
  offers: Offers
  devices: DeviceStore
  deviceCookie: DeviceCookie
  now: Clock
  consents: ConsentStore
  registry: Registry
  audit: AuditLog
  limits: Limits
  failures: Watch
  methods: SignInMethod[]
  recoveries: Recoveries
  ownClientId: string
  ending: Ending
}

/** The one gate to every step: a live journey of this browser, at the right prompt, posted by our own page. */
export type Gate = ReturnType<typeof createGate>

export function createGate({
  provider,
  config,
  views,
  csrf,
  audit,
  limits,
  users,
  ownClientId,
  now,
}: InteractionDependencies) {
  const journeys = createJourneys(provider, ownClientId)
  const visitIn = (ctx: Context, { clientId }: Journey): Visit => ({ ...visitOf(ctx), clientId })
  /** What a letter tells of the request that caused it. */
  const occasionOf = (ctx: Context): Occasion => ({ at: now(), ip: ctx.ip, userAgent: ctx.get('User-Agent') })
  const originCookie = cookieNames(config.ISSUER).origin

  const open = async (ctx: Context): Promise<Journey> => {
    const journey = await journeys.open(ctx.req, ctx.res, ctx.cookies.get(originCookie, { signed: true }))
    ctx.cookies.set(originCookie, journey.clientId, { ...cookieOptions, maxAge: HOUR, signed: true })
    return journey
  }

  return {
    ...createTries(limits),
    open,

    /** A posted step. @throws Problem when it is not this step's turn */
    async post(ctx: Context, prompts: string[]): Promise<{ journey: Journey; fields: Fields }> {
      const fields = await readFields(ctx)
      const journey = await open(ctx)
      csrf.check(ctx, fields)
      if (!prompts.includes(journey.prompt)) throw badRequest('This step is not the one you are at.')
      return { journey, fields }
    },

    /** Ends this prompt; the engine goes on with the request when the browser follows. */
    async finish(ctx: Context, journey: Journey, result: JourneyResult): Promise<void> {
      const url = await journeys.finish(ctx.req, ctx.res, result)
      sendOnward(ctx, views, { url, client: journey.client.own ? null : { name: journey.client.name } })
    },

    keep: (ctx: Context, progress: Progress): Promise<void> => journeys.keep(ctx.req, ctx.res, progress),

    occasionOf,

    tellOf: (ctx: Context, journey: Journey): Told => ({
      visit: visitIn(ctx, journey),
      occasion: occasionOf(ctx),
    }),

    /** Who is signed in while they are asked for something else. @throws Problem where the account is gone meanwhile */
    async personOf({ accountId }: Journey): Promise<User> {
      const user = accountId ? await users.findUser(accountId) : null
      if (!user)
        throw new Problem(400, 'Nobody is signed in any more.', 'Go back to the app and sign in again.')
      return user
    },

    cancelOf: (ctx: Context, journey: Journey) => ({
      action: journeyPath(journey.uid, '/cancel'),
      csrf: csrf.token(ctx),
    }),

    record: (ctx: Context, event: AuditEvent, journey: Journey) => audit.record(event, visitIn(ctx, journey)),
  }
}

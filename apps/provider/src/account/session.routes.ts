import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import type { Provider } from 'oidc-provider'
import type { OwnPage } from '../clients/own-pages.ts'
import type { Config } from '../config.ts'
import type { Csrf } from '../http/csrf.ts'
import { type Fields, readFields } from '../http/fields.ts'
import { seeOther } from '../http/reply.ts'
import { visitOf } from '../http/visit.ts'
import type { Clock } from '../lib/clock.ts'
import { seconds } from '../lib/duration.ts'
import type { Recoveries, Recovery } from '../methods/lost-factors/recoveries.ts'
import { recoveryInWords } from '../methods/lost-factors/words.ts'
import type { Told } from '../methods/told.ts'
import { isStrongest, strongestClass } from '../policy/sensitive.ts'
import type { UserStore } from '../users/store.ts'
import type { User } from '../users/user.ts'
import type { Frame } from './pages.ts'

export type Session = Awaited<ReturnType<Provider['Session']['get']>>

/** Who is signed in, and the session that says so. */
export type Visitor = { user: User; session: Session }

/** What a page asks of whoever comes; `fresh`: they have proved within minutes that it is still them. */
export type Demand = { page: OwnPage; fresh?: true }

/** Where whoever is signed in stops a recovery of their account. */
export const STOP_RECOVERY = '/account/recovery/stop'

/** The door of our own pages: they read the engine's session and sign nobody in themselves. */
export type Door = ReturnType<typeof createDoor>

type Dependencies = {
  provider: Provider
  users: UserStore
  recoveries: Recoveries
  csrf: Csrf
  config: Config
  ownClientId: string
  now: Clock
}

export function createDoor(deps: Dependencies) {
  const { provider, users, recoveries, csrf, config, ownClientId, now } = deps
  const { lifetimes, factors } = config.policy
  const { accepted } = factors
  const proofSeconds = seconds(lifetimes.fresh_proof)

  /** Our pages come in by the same door as any app, with a client that takes no token. */
  function authorization(page: OwnPage, more: Record<string, string> = {}): string {
    const query = new URLSearchParams({
      client_id: ownClientId,
      response_type: 'none',
      scope: 'openid',
      redirect_uri: `${provider.issuer}${page}`,
      state: randomBytes(16).toString('base64url'),
      ...more,
    })
    return `${provider.pathFor('authorization')}?${query}`
  }

  async function findVisitor(ctx: Context): Promise<Visitor | null> {
    const session = await provider.Session.get(ctx)
    const user = session.accountId ? await users.findUser(session.accountId) : null
    ctx.state['recovery'] = user && (await recoveries.find(user))
    return user && { user, session }
  }

  /** Null: the answer leads to where the person proves who they are, and from there back to the page. */
  async function admit(ctx: Context, { page, fresh }: Demand): Promise<Visitor | null> {
    const visitor = await findVisitor(ctx)
    if (!visitor) {
      seeOther(ctx, authorization(page))
      return null
    }
    if (!fresh) return visitor
    // Whoever has a stronger proof brings it: a weaker one does not open what changes how they sign in.
    const own = { types: await users.listCredentialTypes(visitor.user.id), accepted }
    if (!visitor.session.past(proofSeconds) && isStrongest(visitor.session, own)) return visitor
    const wish = strongestClass(own)
    seeOther(
      ctx,
      authorization(page, {
        max_age: String(proofSeconds),
        login_hint: visitor.user.email,
        ...(wish && { acr_values: wish }),
      }),
    )
    return null
  }

  return {
    authorization,
    findVisitor,

    /** For a page that is looked at. Null where the answer is a redirect. */
    async enter(ctx: Context, demand: Demand): Promise<Visitor | null> {
      // Whoever cancelled on the way here does not want to be asked again.
      if (ctx.query['error']) {
        seeOther(ctx, (await findVisitor(ctx)) ? '/account' : '/')
        return null
      }
      const visitor = await admit(ctx, demand)
      if (!visitor || !ctx.querystring) return visitor
      seeOther(ctx, demand.page)
      return null
    },

    /** For what a page of ours posts. Null where the answer is a redirect, and nothing may happen. @throws Problem 403 */
    async receive(ctx: Context, demand: Demand): Promise<(Visitor & { fields: Fields }) | null> {
      const fields = await readForm(ctx)
      const visitor = await admit(ctx, demand)
      return visitor && { ...visitor, fields }
    },

    readForm,

    /** Around a page of whoever was found by this request. */
    frame(ctx: Context): Frame {
      const form = { csrf: csrf.token(ctx) }
      const recovery = ctx.state['recovery'] as Recovery | null
      return {
        signOut: { ...form, action: '/sign-out' },
        recovery: recovery && { ...form, ...recoveryInWords(recovery), action: STOP_RECOVERY },
      }
    },

    /** It ended with what this request has changed. */
    forgetRecovery(ctx: Context): void {
      ctx.state['recovery'] = null
    },

    tellOf: (ctx: Context): Told => ({
      visit: visitOf(ctx),
      occasion: { at: now(), ip: ctx.ip, userAgent: ctx.get('User-Agent') },
    }),
  }

  /** Also of people who are not signed in. @throws Problem 403 for a form that is not ours */
  async function readForm(ctx: Context): Promise<Fields> {
    const fields = await readFields(ctx)
    csrf.check(ctx, fields)
    return fields
  }
}

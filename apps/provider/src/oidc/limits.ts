import type { Context, Next } from 'koa'
import { errors, type KoaContextWithOIDC, Provider } from 'oidc-provider'
import { cookieNames } from '../http/cookies.ts'
import { Problem, wait } from '../http/problem.ts'
import { networkOf } from '../lib/networks.ts'
import type { Allowance, Limits } from '../limits/store.ts'

export type ProtocolLimits = {
  /** To be called on each Provider before its first request: who failed too often is refused before anything is looked up. */
  attach(provider: Provider): void
  /** Inside the unit of work: a request that is refused in the end has written nothing. */
  middleware(ctx: Context, next: Next): Promise<void>
}

/** Where a client has to prove itself. All of them test a secret, so all of them count. */
const CLIENT_ROUTES = new Set(['token', 'introspection', 'revocation', 'pushed_authorization_request'])
const CLIENT_ERRORS = ['grant', 'introspection', 'revocation', 'pushed_authorization_request']

/**
 * Only failures are counted, and a process asks only its own memory whether there were too many: what succeeds costs no
 * round trip. The key holds the network, so that nobody can shut an app out by naming its id.
 */
export function createProtocolLimits(limits: Limits, issuer: string): ProtocolLimits {
  const sessionCookie = cookieNames(issuer).session
  let authorizationPath: string | undefined

  const refuseFailed = (ctx: Context, allowances: Allowance[]) => {
    const waits = allowances.map((allowance) => limits.waitKnownHere(allowance) ?? 0)
    const longest = Math.max(...waits)
    if (longest > 0) throw new SlowDown(ctx, longest)
  }

  async function findInTime(ctx: KoaContextWithOIDC, id: string, find: FindClient) {
    ctx.state['clientId'] = id
    refuseFailed(ctx, ofClient(ctx, id))
    const client = await find(id)
    if (!client || ctx.oidc.route !== 'token') return client
    if (client.clientAuthMethod === 'none') refuseFailed(ctx, [ofGrants(ctx)])
    const seconds = await limits.takeHere({ limit: 'tokens_per_client', key: together(ctx, id) })
    if (seconds !== null) throw new SlowDown(ctx, seconds)
    return client
  }

  /** The engine answers programs and people differently; what went wrong it tells its listeners alone. */
  async function countFailure(ctx: Context): Promise<void> {
    const { failedWith, clientId = '' } = ctx.state as { failedWith?: string; clientId?: string }
    if (failedWith === 'invalid_client') await Promise.all(ofClient(ctx, clientId).map(limits.take))
    // Whoever has proved itself is not guessing, and speaks for people who may send it wrong codes to shut it out.
    if (failedWith === 'invalid_grant' && ctx['oidc'].client?.clientAuthMethod === 'none')
      await limits.take(ofGrants(ctx))
  }

  async function countStranger(ctx: Context): Promise<void> {
    if (ctx['oidc']?.route !== 'authorization' || ctx['oidc'].session?.accountId) return
    const seconds = await limits.take(ofStrangers(ctx))
    if (seconds !== null) throw tooManyVisits(seconds)
  }

  return {
    attach(provider) {
      authorizationPath = provider.pathFor('authorization')
      const { Client } = provider
      const find = Client.find.bind(Client)
      Client.find = async (id) => {
        const { ctx } = Provider
        return ctx && CLIENT_ROUTES.has(ctx.oidc.route) ? findInTime(ctx, id, find) : find(id)
      }
      for (const name of CLIENT_ERRORS)
        provider.on(`${name}.error` as 'grant.error', (ctx, error) => {
          ctx.state['failedWith'] = (error as Partial<errors.OIDCProviderError>).error
        })
    },
    async middleware(ctx, next) {
      const isStranger = ctx.path === authorizationPath && !ctx.cookies.get(sessionCookie, { signed: true })
      const seconds = isStranger ? limits.waitKnownHere(ofStrangers(ctx)) : null
      if (seconds !== null) throw tooManyVisits(seconds)
      await next()
      await countFailure(ctx)
      await countStranger(ctx)
    },
  }
}

type Client = NonNullable<KoaContextWithOIDC['oidc']['client']>
type FindClient = (id: string) => Promise<Client | undefined>

const together = (ctx: Context, clientId: string) => `${networkOf(ctx.ip)} ${clientId}`
const ofClient = (ctx: Context, clientId: string): Allowance[] => [
  { limit: 'client_failures', key: together(ctx, clientId) },
  { limit: 'client_failures_per_ip', key: networkOf(ctx.ip) },
]
const ofGrants = (ctx: Context): Allowance => ({ limit: 'grant_failures_per_ip', key: networkOf(ctx.ip) })
const ofStrangers = (ctx: Context): Allowance => ({ limit: 'authorize_per_ip', key: networkOf(ctx.ip) })

const tooManyVisits = (seconds: number) =>
  new Problem(
    429,
    'There were too many requests from your network.',
    `Wait ${wait(seconds)}, then try again.`,
    {
      retryAfter: seconds,
    },
  )

/** The same for right and wrong secrets, or it would tell them apart (the code is that of RFC 8628, section 3.5). */
class SlowDown extends errors.OIDCProviderError {
  override error_description = 'too many requests, come again after the time in Retry-After'
  constructor(ctx: Context, seconds: number) {
    super(429, 'slow_down')
    ctx.set('Retry-After', String(seconds))
  }
}

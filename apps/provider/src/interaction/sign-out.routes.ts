import type Router from '@koa/router'
import type { Context } from 'koa'
import { afterSignOut, endSession } from '../artifacts/end-session.ts'
import { cookieNames, cookieOptions } from '../http/cookies.ts'
import { readFields } from '../http/fields.ts'
import { sendOnward } from '../http/reply.ts'
import { visitOf } from '../http/visit.ts'
import type { InteractionDependencies } from './gate.routes.ts'

/** Signing out by our own button: on the page an app sent the person to, or in our own pages. */
export function signOutRoutes(router: Router, deps: InteractionDependencies) {
  const { provider, config, csrf, views, ending, audit } = deps

  router.post('/sign-out', async (ctx: Context) => {
    csrf.check(ctx, await readFields(ctx))
    const session = await provider.Session.get(ctx)
    const { accountId, state } = session
    if (accountId) {
      await endSession(session, ending)
      await audit.record({ type: 'session.ended', userId: accountId }, visitOf(ctx))
    }
    ctx.cookies.set(cookieNames(config.ISSUER).session, null, { ...cookieOptions, signed: true })
    // An app that asked before, and was told no, has no say when the person leaves by themselves.
    const app = ctx.query['back'] === 'app' ? state : undefined
    sendOnward(ctx, views, {
      url: afterSignOut(config.ISSUER, app?.['postLogoutRedirectUri'], app?.['state']),
      client: null,
    })
  })
}

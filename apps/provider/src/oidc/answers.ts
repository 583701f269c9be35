import type { Context, Next } from 'koa'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { type Ending, revokeGrants } from '../artifacts/end-session.ts'
import { asProblem } from '../http/error-pages.ts'
import { sendOnward } from '../http/reply.ts'
import { allowFormAction } from '../http/security-headers.ts'
import type { Views } from '../http/view.ts'

type Dependencies = {
  views: Views
  ending: Ending
}

/** What the engine's answers still need when they pass us on the way out, by the name of its route. */
export function createAnswers({ views, ending }: Dependencies) {
  const byRoute: Record<string, (ctx: KoaContextWithOIDC) => void | Promise<void>> = {
    discovery: hideResponseTypeNone,
    revocation: answerRevocation,
    authorization: allowFormPost,
    resume: allowFormPost,
    // The engine's own way out, taken when another person signs in: it ends what ours ends.
    end_session_confirm: async (ctx) => {
      const to = ctx.response.get('Location')
      if (ctx.status !== 303 || !to) return
      if (ctx.oidc.session) await revokeGrants(ctx.oidc.session, ending)
      leaveByPage(ctx, to)
    },
  }

  function leaveByPage(ctx: KoaContextWithOIDC, url: string) {
    ctx.remove('Location')
    sendOnward(ctx, views, { url, client: null })
  }

  return async (ctx: KoaContextWithOIDC, next: Next) => {
    await next()
    const { route } = ctx.oidc ?? {}
    if (route) await byRoute[route]?.(ctx)
  }
}

/** A database that is gone is no OAuth error: 503, and when to come back. */
export function answerFailures(isUnavailable: (error: unknown) => boolean) {
  return async (ctx: Context, next: Next) => {
    await next()
    const failure: unknown = ctx.state['failure']
    if (!failure || ctx.status !== 500 || ctx.response.is('html')) return
    const { status, retryAfter, what } = asProblem(failure, isUnavailable)
    if (status !== 503) return
    ctx.status = 503
    ctx.set('Retry-After', String(retryAfter))
    ctx.body = { error: 'temporarily_unavailable', error_description: what }
  }
}

/** `none` is how our own pages ask for a session; it is of no use to any relying party. */
function hideResponseTypeNone(ctx: KoaContextWithOIDC) {
  if (ctx.status !== 200) return
  const metadata = ctx.body as { response_types_supported?: string[] }
  metadata.response_types_supported = ['code']
}

/** oidc-client-ts and simple-oauth2 parse the answer of RFC 7009 as JSON although it has no content. */
function answerRevocation(ctx: KoaContextWithOIDC) {
  if (ctx.status === 200 && !ctx.body) ctx.body = {}
}

function allowFormPost(ctx: KoaContextWithOIDC) {
  const { params, client } = ctx.oidc
  const target = params?.['redirect_uri']
  const byForm = params?.['response_mode'] === 'form_post' && ctx.response.is('html')
  if (byForm && typeof target === 'string' && client?.redirectUriAllowed(target)) allowFormAction(ctx, target)
}

import type { Context, Next } from 'koa'
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { UnitOfWork } from '../db/unit-of-work.ts'
import { Problem } from '../http/problem.ts'

/**
 * One request, one unit of work: what it wrote is committed before its answer leaves. An answer of 5xx commits nothing,
 * and a commit that fails becomes the answer.
 */
export function inUnitOfWork(work: UnitOfWork) {
  return async (ctx: Context, next: Next): Promise<void> => {
    let answered = false
    const answerIt = async () => {
      await next()
      answered = true
    }
    try {
      await work.run(answerIt, () => ctx.status < 500)
    } catch (error) {
      withdraw(ctx)
      if (!answered) throw error
      answer(ctx, error)
    }
    if (ctx.status >= 500) withdraw(ctx)
  }
}

/** Nobody follows a redirect, or holds a cookie, to what was never written; nor loses the one to what still stands. */
function withdraw(ctx: Context): void {
  for (const name of ['Set-Cookie', 'Location']) ctx.remove(name)
}

/** Programs are told as the engine tells them; people get a page (`http/error-pages.ts`). */
function answer(ctx: Context | KoaContextWithOIDC, error: unknown): void {
  const route: string | undefined = ctx.oidc?.route
  if (error instanceof errors.OIDCProviderError) {
    if (route !== 'token') throw asProblem(error)
    ctx.status = error.statusCode
    ctx.body = { error: error.error, error_description: error.error_description }
    ctx.oidc.provider.emit('grant.error', ctx as KoaContextWithOIDC, error)
    return
  }
  if (!route || !FOR_PROGRAMS.has(route)) throw error
  ctx.state['failure'] = error
  ctx.status = 500
  ctx.body = { error: 'server_error', error_description: 'oops! something went wrong' }
}

const FOR_PROGRAMS = new Set([
  'token',
  'introspection',
  'revocation',
  'userinfo',
  'pushed_authorization_request',
])

const asProblem = (cause: errors.OIDCProviderError) =>
  new Problem(
    400,
    'This sign-in was already used, or it took too long.',
    'Go back to the app and sign in again.',
    { cause },
  )

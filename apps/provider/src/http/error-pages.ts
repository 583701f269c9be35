import { randomUUID } from 'node:crypto'
import type { Context, Next } from 'koa'
import type { Log } from '../lib/log.ts'
import { notFound, Problem, tooBusy } from './problem.ts'
import { type PageData, type Views, view } from './view.ts'

export type ErrorPageData = PageData & {
  what: string
  todo: string
  requestId: string | null
  /** For whoever wrote the app that sent the browser here. */
  developer: { code: string; detail: string | null; fix: string | null } | null
  back: { label: string; url: string } | null
}

export const errorPage = view<ErrorPageData>('errors/error')

type Dependencies = { views: Views; log: Log; isUnavailable: (error: unknown) => boolean }

const RETRY_SECONDS = 5

/** Every request has an id, and every failure of ours ends as a calm page (or JSON for programs) that carries it. */
export function errorPages({ views, log, isUnavailable }: Dependencies) {
  return async (ctx: Context, next: Next) => {
    ctx.state['requestId'] = randomUUID()
    ctx.set('X-Request-Id', requestId(ctx))
    try {
      await next()
      if (ctx.status === 404 && ctx.body == null) throw notFound()
    } catch (error) {
      const problem = asProblem(error, isUnavailable)
      tell(ctx, log, { problem, error })
      draw(ctx, views, problem)
    }
  }
}

/** Being too busy is no fault to be traced, and there may be a thousand of it in a second. */
function tell(ctx: Context, log: Log, { problem, error }: { problem: Problem; error: unknown }) {
  const where = { requestId: requestId(ctx), path: ctx.path }
  const { message: reason } = (problem.cause ?? problem) as Error
  if (problem.status === 503) log.warn({ ...where, reason }, 'too busy for a request')
  else if (problem.status >= 500) log.error({ ...where, err: error }, 'request failed')
}

export const requestId = (ctx: Context): string => String(ctx.state['requestId'])

/** What we tell about an error we did not foresee: nothing of its inside. */
export function asProblem(error: unknown, isUnavailable: (error: unknown) => boolean): Problem {
  if (error instanceof Problem) return error
  if (isUnavailable(error)) return tooBusy(RETRY_SECONDS, error)
  const status = httpStatusOf(error)
  if (status !== null)
    return new Problem(status, 'This request cannot be answered.', 'Go back and try again.', { cause: error })
  return new Problem(
    500,
    'Something went wrong on our side.',
    'Try again. If it happens again, tell us the number below.',
    { cause: error },
  )
}

/** Koa's own refusals (a malformed address, say) carry a status below 500 and may be told. */
function httpStatusOf(error: unknown): number | null {
  const { status, expose } = (error ?? {}) as { status?: unknown; expose?: unknown }
  return typeof status === 'number' && expose === true && status >= 400 && status < 500 ? status : null
}

function draw(ctx: Context, views: Views, problem: Problem) {
  ctx.status = problem.status
  if (problem.retryAfter) ctx.set('Retry-After', String(problem.retryAfter))
  if (ctx.accepts('html', 'json') === 'json') {
    ctx.body = {
      error: codeOf(problem.status),
      error_description: `${problem.what} ${problem.todo}`,
      request_id: requestId(ctx),
    }
    return
  }
  ctx.type = 'html'
  ctx.body = views.page(errorPage, {
    title: titleOf(problem.status),
    what: problem.what,
    todo: problem.todo,
    requestId: requestId(ctx),
    developer: null,
    back: problem.back ?? null,
  })
}

/** Error codes in the vocabulary of RFC 6749, section 5.2, which every OAuth library knows. */
const codeOf = (status: number) =>
  status === 503
    ? 'temporarily_unavailable'
    : status >= 500
      ? 'server_error'
      : status === 429
        ? 'slow_down'
        : 'invalid_request'

const TITLES: Record<number, string> = {
  403: 'This form cannot be accepted',
  404: 'Page not found',
  410: 'This link is over',
  413: 'Too much was sent',
  421: 'Wrong address',
  422: 'This cannot be accepted',
  429: 'Too many tries',
  500: 'Something went wrong',
  503: 'One moment, please',
}
const titleOf = (status: number) => TITLES[status] ?? 'This did not work'

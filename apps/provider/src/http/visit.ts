import type { Context } from 'koa'
import { requestId } from './error-pages.ts'

/** Where a request came from, as far as anything but `http/` may know. */
export const visitOf = (ctx: Context) => ({
  ip: ctx.ip,
  userAgent: ctx.get('User-Agent'),
  requestId: requestId(ctx),
})

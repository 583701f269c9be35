import type { Context } from 'koa'
import { MINUTE } from '../lib/clock.ts'
import { cookieNames, cookieOptions } from './cookies.ts'
import { seeOther } from './reply.ts'

const SHAPE = /^[\w-]{43}$/
const KEPT = 30 * MINUTE

/**
 * Takes the secret of a mailed link out of the address, where histories and logs would keep it: a cookie of this path
 * carries it over a redirect to the same page. Null: the answer is that redirect. '' where there is none, or none of ours.
 */
export function takeLinkToken(ctx: Context, issuer: string): string | null {
  const name = cookieNames(issuer).link
  const options = { ...cookieOptions, path: ctx.path, signed: false }
  const given = ctx.query['token']
  if (given === undefined) return shaped(ctx.cookies.get(name, { signed: false }))
  ctx.cookies.set(name, shaped(String(given)), { ...options, maxAge: KEPT })
  seeOther(ctx, ctx.path)
  return null
}

/** Once the link is used, nothing of it stays in the browser. */
export function forgetLinkToken(ctx: Context, issuer: string, path: string): void {
  ctx.cookies.set(cookieNames(issuer).link, null, { ...cookieOptions, path, signed: false })
}

const shaped = (text: string | undefined) => (text && SHAPE.test(text) ? text : '')

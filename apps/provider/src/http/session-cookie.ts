import type { Context } from 'koa'
import { cookieNames, cookieOptions } from './cookies.ts'

/** `jti` is the secret id, `exp` in seconds since 1970; the cookie of a transient session goes when the browser is closed. */
type Session = { jti: string; exp?: number | undefined; transient?: boolean | undefined }

/** The engine sets this cookie on routes of its own alone; on ours this does the same. */
export function setSessionCookie(ctx: Context, issuer: string, { jti, exp, transient }: Session): void {
  const end = exp !== undefined && !transient && { expires: new Date(exp * 1000) }
  ctx.cookies.set(cookieNames(issuer).session, jti, { ...cookieOptions, signed: true, ...end })
}

import { isIP } from 'node:net'
import type { Context, Next } from 'koa'
import type { Networks } from '../lib/networks.ts'
import { Problem } from './problem.ts'

const HEALTH = new Set(['/livez', '/readyz'])

/**
 * Believes `X-Forwarded-For` and `-Host` from trusted proxies alone, and then only the part those proxies wrote.
 * The scheme is never taken from a request: it is the issuer's, since whoever serves https in front of us forwards http.
 * Koa reads what is left.
 */
export function forwardedHeaders(issuer: string, trusted: Networks | undefined) {
  const scheme = new URL(issuer).protocol.slice(0, -1)
  return (ctx: Context, next: Next) => {
    const { headers, socket } = ctx.req
    const isProxy = trusted?.has(socket.remoteAddress ?? '') ?? false
    const client = isProxy ? lastUntrusted(ctx.get('X-Forwarded-For'), trusted!) : undefined
    if (isProxy && headers['x-forwarded-host']) headers.host = String(headers['x-forwarded-host'])
    headers['x-forwarded-proto'] = scheme
    delete headers['x-forwarded-host']
    if (client) headers['x-forwarded-for'] = client
    else delete headers['x-forwarded-for']
    return next()
  }
}

function lastUntrusted(forwardedFor: string, trusted: Networks): string | undefined {
  const hops = forwardedFor
    .split(',')
    .map((hop) => hop.trim())
    .filter((hop) => isIP(hop))
  return hops.findLast((hop) => !trusted.has(hop)) ?? hops[0]
}

/**
 * The engine builds addresses from the Host header and from a request target that is a whole address (RFC 9112,
 * section 3.2.2), so only our own are let in (421, RFC 9110, section 15.5.20).
 * Health checks come by address and are exempt.
 */
export function pinHost(issuer: string) {
  const { host } = new URL(issuer)
  const targets = ['/', `${issuer}/`]
  return (ctx: Context, next: Next) => {
    const isForUs = ctx.host === host && targets.some((target) => ctx.originalUrl.startsWith(target))
    if (isForUs || HEALTH.has(ctx.path)) return next()
    throw new Problem(421, 'This server does not answer under this name.', `Use ${issuer}.`)
  }
}

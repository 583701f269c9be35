import type { Context, Next } from 'koa'

// One policy for every page: nothing from elsewhere, nothing inline, never framed, posts only to ourselves.
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
]
const PERMISSIONS =
  'publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=()'
const STATIC_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
const HSTS = 'max-age=63072000; includeSubDomains'
const ALWAYS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

/** For an answer without content to a request that never reached the middleware. */
export const BARE_HEADERS = {
  ...ALWAYS,
  'Content-Security-Policy': STATIC_POLICY,
  'Cache-Control': 'no-store',
}

/**
 * An app may open the journey in a window of its own, and hears of the result through `window.opener` (Swagger UI does);
 * an opener policy would cut that thread. What these pages hold is guarded against framing all the same.
 */
const JOURNEY = /^\/(auth|interaction)(\/|$)/

/** The headers every answer carries, errors included. Set first, so that the engine may add its script's hash. */
export function securityHeaders(issuer: string) {
  const https = issuer.startsWith('https:')
  const pagePolicy = [...PAGE_POLICY, ...(https ? ['upgrade-insecure-requests'] : [])].join('; ')
  return async (ctx: Context, next: Next) => {
    if (https) ctx.set('Strict-Transport-Security', HSTS)
    ctx.set('Content-Security-Policy', pagePolicy)
    ctx.set(ALWAYS)
    await next()
    if (ctx.response.is('html')) {
      if (!JOURNEY.test(ctx.path)) ctx.set('Cross-Origin-Opener-Policy', 'same-origin')
      ctx.set('Permissions-Policy', PERMISSIONS)
    } else {
      ctx.set('Content-Security-Policy', STATIC_POLICY)
    }
    if (!ctx.response.get('Cache-Control')) ctx.set('Cache-Control', 'no-store')
  }
}

/** Lets one answer post to one more origin: `response_mode=form_post` carries the code to the client by a form. */
export function allowFormAction(ctx: Context, target: string): void {
  const { protocol, origin } = new URL(target)
  const source = origin === 'null' ? protocol : origin
  if (/[;,\s'"]/.test(source)) return
  const policy = ctx.response.get('Content-Security-Policy')
  ctx.set('Content-Security-Policy', policy.replace("form-action 'self'", `form-action 'self' ${source}`))
}

/** Lets one page frame pages of ours. */
export function allowFrames(ctx: Context): void {
  ctx.set('Content-Security-Policy', `${ctx.response.get('Content-Security-Policy')}; frame-src 'self'`)
}

const SANDBOX_POLICY = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  "base-uri 'none'",
  "frame-ancestors 'self'",
  'sandbox allow-popups allow-popups-to-escape-sandbox',
].join('; ')

/** For somebody else's HTML inside a page of ours: it looks as it was meant to, loads nothing, runs nothing and is nobody. */
export function sandboxFrame(ctx: Context): void {
  ctx.set('Content-Security-Policy', SANDBOX_POLICY)
  ctx.set('X-Frame-Options', 'SAMEORIGIN')
}

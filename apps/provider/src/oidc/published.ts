import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Context, Next } from 'koa'
import { digest } from '../lib/digest.ts'

/** What everybody reads and few change: made by the engine once, from then on the same bytes, before any middleware. */
export type Published = {
  /** The outermost middleware: makes the answer cacheable and keeps it as it leaves. */
  keep(ctx: Context, next: Next): Promise<void>
  /** True when the request was for something kept, and is answered. */
  answer(req: IncomingMessage, res: ServerResponse): boolean
}

type Kept = { headers: OutgoingHttpHeaders; etag: string; body: string }

const ROUTES = new Set(['discovery', 'jwks'])
const METHODS = new Set(['GET', 'HEAD'])
const PUBLIC_SECONDS = 300

/** To live as long as one Provider: with its keys the answers change. */
export function createPublished(issuer: string): Published {
  const { host } = new URL(issuer)
  const answers = new Map<string, Kept>()
  return {
    async keep(ctx, next) {
      await next()
      if (!ROUTES.has(ctx['oidc']?.route) || ctx.status !== 200 || !METHODS.has(ctx.method)) return
      const { type } = ctx.response
      // Text, not bytes: Node sends it in one piece with the headers.
      const body = JSON.stringify(ctx.body)
      const etag = `"${digest(body)}"`
      ctx.body = body
      ctx.type = type
      ctx.remove('Vary')
      ctx.set({
        'Cache-Control': `public, max-age=${PUBLIC_SECONDS}`,
        'Cross-Origin-Resource-Policy': 'cross-origin',
        'Access-Control-Allow-Origin': '*',
        ETag: etag,
      })
      const { 'x-request-id': _, ...headers } = ctx.response.headers
      if (!ctx.querystring) answers.set(ctx.path, { headers, etag, body })
      if (ctx.fresh) ctx.status = 304
    },
    answer(req, res) {
      const kept = METHODS.has(req.method ?? '') ? answers.get(req.url ?? '') : undefined
      if (!kept || req.headers.host !== host) return false
      const known = req.headers['if-none-match']?.includes(kept.etag)
      res.writeHead(known ? 304 : 200, kept.headers)
      res.end(known || req.method === 'HEAD' ? undefined : kept.body)
      return true
    },
  }
}

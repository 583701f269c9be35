import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import type { Context, Next } from 'koa'

/** Stylesheet, scripts and pictures, read once at start, named by their content and so cacheable for ever. */
export type Assets = {
  /** `anteroom.css` → `/assets/anteroom.3f2a91c0.css`; throws for a file that is not there. */
  url(file: string): string
  middleware(ctx: Context, next: Next): Promise<void> | void
}

type Asset = { type: string; body: Buffer; br: Buffer; gzip: Buffer }

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}
const PREFIX = '/assets/'
const YEAR_SECONDS = 31_536_000

export function createAssets(folder: string): Assets {
  const byUrl = new Map<string, Asset>()
  const urls = new Map<string, string>()
  for (const file of readdirSync(folder)) {
    const { ext, name } = path.parse(file)
    const type = TYPES[ext]
    if (!type) continue
    const body = readFileSync(path.join(folder, file))
    const hash = createHash('sha256').update(body).digest('hex').slice(0, 8)
    const url = `${PREFIX}${name}.${hash}${ext}`
    urls.set(file, url)
    byUrl.set(url, { type, body, br: brotliCompressSync(body), gzip: gzipSync(body) })
  }
  return {
    url(file) {
      const url = urls.get(file)
      if (!url) throw new Error(`no such asset: ${file}`)
      return url
    },
    middleware(ctx, next) {
      const asset = byUrl.get(ctx.path)
      if (!asset || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next()
      send(ctx, asset)
    },
  }
}

function send(ctx: Context, asset: Asset) {
  const encoding = ctx.acceptsEncodings('br', 'gzip', 'identity')
  ctx.type = asset.type
  ctx.set('Cache-Control', `public, max-age=${YEAR_SECONDS}, immutable`)
  ctx.vary('Accept-Encoding')
  if (encoding === 'br' || encoding === 'gzip') ctx.set('Content-Encoding', encoding)
  ctx.body = encoding === 'br' ? asset.br : encoding === 'gzip' ? asset.gzip : asset.body
}

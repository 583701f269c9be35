// What settings are made of: lengths of time, limits, origins.
import { z } from 'zod'
import { parseDuration } from '../lib/duration.ts'

export const duration = (fallback: number) =>
  z
    .string()
    .transform((text, ctx) => {
      const ms = parseDuration(text)
      if (ms === null) ctx.addIssue({ code: 'custom', message: 'write it as 30s, 10m, 12h or 30d' })
      return ms ?? z.NEVER
    })
    .default(fallback)

/** So many tries in so long; then nothing until `block` is over (the rest of the window where it is not given). */
export const limit = (points: number, per: number, block?: number) =>
  z
    .strictObject({
      points: z.number().int().min(1).default(points),
      per: duration(per),
      block: block === undefined ? duration(0) : duration(block),
    })
    .prefault({})

export const origin = z
  .string()
  .refine(isBareOrigin, 'must be an origin such as https://id.example.com, without a path or trailing slash')

function isBareOrigin(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text
}

// What settings are made of: lengths of time, limits, origins.
import { z } from 'zod'
import { DAY } from '../lib/clock.ts'
import { parseDuration } from '../lib/duration.ts'

/** For what has no default of its own. */
export const statedDuration = z.string().transform(readDuration)
export const duration = (fallback: number) => statedDuration.default(fallback)

function readDuration(text: string, ctx: z.core.$RefinementCtx): number {
  const ms = parseDuration(text)
  if (ms === null) ctx.addIssue({ code: 'custom', message: 'write it as 30s, 10m, 12h or 30d' })
  return ms ?? z.NEVER
}

/** So many tries in so long; then nothing until `block` is over (the rest of the time where it is 0). */
export type LimitWindow = { points: number; per: number; block: number }

export const limitWindow = (points: number, per: number, block = 0): LimitWindow => ({ points, per, block })

/** Longer than anything makes sense, and short enough for a clock's arithmetic. */
const LONGEST = 3650 * DAY

const count = z.number().int().min(1).max(1_000_000)
const time = z
  .string()
  .transform(readDuration)
  .refine((ms) => ms > 0 && ms <= LONGEST, 'must be longer than nothing, and 3650d at most')

/** What a process can hold when it has to count by itself. */
const BLOCK_MAX = 20 * DAY
const block = (fallback: number) => duration(fallback).refine((ms) => ms <= BLOCK_MAX, 'may be 20d at most')

const wholeWindow = z.strictObject({ points: count, per: time, block: block(0) })

/** What is said of a limit: one window, of which parts may be left out, or a list of whole ones. */
export function limit(...windows: [LimitWindow, ...LimitWindow[]]) {
  const [first] = windows
  const oneWindow = z.strictObject({
    points: count.default(first.points),
    per: time.default(first.per),
    block: block(first.block),
  })
  return z
    .unknown()
    .transform((said, ctx): LimitWindow[] => {
      const parsed = Array.isArray(said)
        ? z.array(wholeWindow).min(1).safeParse(said)
        : oneWindow.safeParse(said)
      if (parsed.success) return [parsed.data].flat()
      for (const { message, path } of parsed.error.issues) ctx.addIssue({ code: 'custom', message, path })
      return z.NEVER
    })
    .default(windows)
}

export type PaceConfig = { from: number; first: number; most: number }

/** From the `from`th failure in a row on each one costs a wait, twice the one before, until it is `most`. None where `first` is 0. */
export const pace = ({ from, first, most }: PaceConfig) =>
  z.strictObject({ from: count.default(from), first: duration(first), most: duration(most) }).prefault({})

export const origin = z
  .string()
  .refine(isBareOrigin, 'must be an origin such as https://id.example.com, without a path or trailing slash')

function isBareOrigin(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text
}

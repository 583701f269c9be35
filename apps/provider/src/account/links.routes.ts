import type { Context } from 'koa'
import type { Config } from '../config.ts'
import { forgetLinkToken, takeLinkToken } from '../http/link-token.ts'
import { Problem, wait } from '../http/problem.ts'
import { networkOf } from '../lib/networks.ts'
import type { Tries } from '../limits/tries.ts'

/** Where one asks for another link. */
export type Elsewhere = { todo: string; back: { label: string; url: string } }

export type Links = ReturnType<typeof createLinks>

/** Mailed links: whoever brings a wrong one learns nothing, and not often. */
export function createLinks(tries: Tries, { ISSUER }: Config) {
  return {
    take: (ctx: Context) => takeLinkToken(ctx, ISSUER),
    forget: (ctx: Context) => forgetLinkToken(ctx, ISSUER, ctx.path),

    /** What the link's secret opens. @throws Problem 410 where that is nothing (any more), 429 after too many of those */
    async open<T>(ctx: Context, find: () => Promise<T | null>, elsewhere: Elsewhere): Promise<T> {
      const allowances = [{ limit: 'link_per_ip' as const, key: networkOf(ctx.ip) }]
      const taken = await tries.take(allowances)
      if (!taken.ok) throw tooManyLinks(taken.wait)
      const found = await tries.attempt(allowances, find)
      if (found === null) throw over(elsewhere)
      await tries.giveBack(allowances)
      return found
    },
  }
}

/** The same for a link that is wrong, old, used or somebody else's. */
export const over = ({ todo, back }: Elsewhere) =>
  new Problem(410, 'It was used already, it is too old, or there is a newer one.', todo, { back })

const tooManyLinks = (seconds: number) =>
  new Problem(
    429,
    'Too many links were tried from here that are of no use.',
    `Wait ${wait(seconds)}, then open yours again.`,
    { retryAfter: seconds },
  )

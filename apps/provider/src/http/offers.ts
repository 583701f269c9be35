import type { Context } from 'koa'
import { DAY } from '../lib/clock.ts'
import { cookieNames, cookieOptions } from './cookies.ts'

/** How long *Not now* is remembered. */
const PAUSE = 30 * DAY

/** What a script of ours says in a browser whose device can make passkeys: others are not offered any. */
const POSSIBLE = 'possible'
const LATER = 'later'

/**
 * Whether an offer is welcome in this browser. A hint and no more: whoever writes the cookie themselves is asked a question.
 * Once somebody said *Not now*, no script can write over it (RFC 6265bis, 5.7, step 11).
 */
export type Offers = ReturnType<typeof createOffers>

export function createOffers(issuer: string) {
  const name = cookieNames(issuer).passkeys
  return {
    isWelcome: (ctx: Context): boolean => ctx.cookies.get(name, { signed: false }) === POSSIBLE,
    postpone: (ctx: Context): void =>
      void ctx.cookies.set(name, LATER, { ...cookieOptions, maxAge: PAUSE, signed: false }),
  }
}

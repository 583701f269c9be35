import type { KeyObject } from 'node:crypto'
import type { Context } from 'koa'
import { mac, sameSecret } from '../lib/digest.ts'
import { randomToken } from '../lib/ids.ts'
import { cookieNames, cookieOptions } from './cookies.ts'
import type { Fields } from './fields.ts'
import { Problem } from './problem.ts'

/** Keeps other sites from pressing our buttons (OWASP ASVS 5.0, 3.5.1 to 3.5.3). */
export type Csrf = {
  /** The value a form carries; gives the browser its cookie when it has none. */
  token(ctx: Context): string
  /** @throws Problem 403 for a post that did not come from our own form in this browser */
  check(ctx: Context, fields: Fields): void
}

/**
 * The form carries a MAC of a random cookie that scripts cannot read and, over https, no sibling host can plant.
 * Browsers that name the origin of a post are held to it as well.
 */
export function createCsrf(issuer: string, key: KeyObject): Csrf {
  const name = cookieNames(issuer).csrf
  const tokenOf = (cookie: string) => mac(key, cookie)
  const plant = (ctx: Context) => {
    const cookie = randomToken()
    ctx.cookies.set(name, cookie, { ...cookieOptions, signed: false })
    return cookie
  }
  return {
    token(ctx) {
      // A page may hold several forms; all of them go with the one cookie of this answer.
      ctx.state['csrf'] ??= ctx.cookies.get(name, { signed: false }) ?? plant(ctx)
      return tokenOf(String(ctx.state['csrf']))
    },
    check(ctx, fields) {
      const cookie = ctx.cookies.get(name, { signed: false })
      if (isForeign(ctx, issuer) || !cookie || !sameSecret(tokenOf(cookie), fields('csrf')))
        throw foreignPost()
    },
  }
}

/** Our pages send no referrer, so browsers may write `Origin: null` on our own posts; Sec-Fetch-Site then tells. */
function isForeign(ctx: Context, issuer: string): boolean {
  return (
    !['', 'null', issuer].includes(ctx.get('Origin')) ||
    !['', 'none', 'same-origin'].includes(ctx.get('Sec-Fetch-Site'))
  )
}

const foreignPost = () =>
  new Problem(
    403,
    'This form did not come from our own page in this browser.',
    'Allow cookies for this site if they are off, then go back, reload the page and try again.',
  )

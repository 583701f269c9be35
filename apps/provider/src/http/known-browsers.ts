import type { KeyObject } from 'node:crypto'
import type { Context } from 'koa'
import { DAY } from '../lib/clock.ts'
import { mac, sameSecret } from '../lib/digest.ts'
import { randomToken } from '../lib/ids.ts'
import { cookieNames, cookieOptions } from './cookies.ts'

/** As much of a person as a browser is known by. `generation` grows with every change of a credential. */
type Known = { id: string; generation: number }

/** Browsers in which a person has signed in before: strangers' wrong passwords do not lock those out. */
export type KnownBrowsers = {
  /** Whether it is worth asking for whom: most strangers hold nothing. */
  isAny(ctx: Context): boolean
  isKnown(ctx: Context, user: Known): boolean
  /** What the browser is called where its tries are counted; null for one that is not known. */
  idFor(ctx: Context, user: Known): string | null
  /** To be called when the person has proved who they are, and never before. */
  remember(ctx: Context, user: Known): void
}

const ACCOUNTS_MAX = 8
const LIVES = 365 * DAY
/** The browser's random id, then one MAC for each account, newest first. */
const VALUE = new RegExp(`^[\\w-]{43}(\\.[\\w-]{43}){1,${ACCOUNTS_MAX}}$`)

type Cookie = { browser: string; marks: string[] }

/**
 * The cookie is of use in the browser it was made for and until the person's credentials change; it opens nothing.
 * @param keys newest first: the first makes, all are believed
 */
export function createKnownBrowsers(issuer: string, keys: KeyObject[]): KnownBrowsers {
  const name = cookieNames(issuer).browser
  const markOf = (key: KeyObject, browser: string, { id, generation }: Known) =>
    mac(key, browser, id, String(generation))

  function read(ctx: Context): Cookie | null {
    const value = ctx.cookies.get(name, { signed: false }) ?? ''
    const [browser = '', ...marks] = VALUE.test(value) ? value.split('.') : []
    return browser ? { browser, marks } : null
  }

  function idFor(ctx: Context, user: Known): string | null {
    const cookie = read(ctx)
    if (!cookie) return null
    const right = keys.map((key) => markOf(key, cookie.browser, user))
    const isKnown = cookie.marks.some((mark) => right.some((each) => sameSecret(each, mark)))
    return isKnown ? cookie.browser : null
  }

  return {
    isAny: (ctx) => read(ctx) !== null,
    isKnown: (ctx, user) => idFor(ctx, user) !== null,
    idFor,
    remember(ctx, user) {
      const { browser, marks } = read(ctx) ?? { browser: randomToken(), marks: [] }
      const mark = markOf(keys[0]!, browser, user)
      const all = [mark, ...marks.filter((other) => other !== mark)].slice(0, ACCOUNTS_MAX)
      ctx.cookies.set(name, [browser, ...all].join('.'), { ...cookieOptions, maxAge: LIVES, signed: false })
    },
  }
}

import type { Context } from 'koa'
import { randomToken } from '../lib/ids.ts'
import { cookieNames, cookieOptions } from './cookies.ts'

/** The secrets a browser was trusted with. Whose they are, and whether they still count, only the database knows. */
export type DeviceCookie = {
  /** Newest first; none where the cookie is missing, edited, or not ours. */
  read(ctx: Context): string[]
  /** Gives the browser a new secret beside those it has: one that somebody planted there never becomes trusted. */
  add(ctx: Context): string
}

/** As many people as share a browser; whoever was there first has to bring a second factor again. */
const SECRETS_MAX = 5
const VALUE = new RegExp(`^[\\w-]{43}(\\.[\\w-]{43}){0,${SECRETS_MAX - 1}}$`)

/** @param lifetime milliseconds that the browser keeps it (`policy.factors.trusted_device`) */
export function createDeviceCookie(issuer: string, lifetime: number): DeviceCookie {
  const name = cookieNames(issuer).device

  function read(ctx: Context): string[] {
    const value = ctx.cookies.get(name, { signed: true }) ?? ''
    return VALUE.test(value) ? value.split('.') : []
  }

  return {
    read,
    add(ctx) {
      const secret = randomToken()
      const all = [secret, ...read(ctx)].slice(0, SECRETS_MAX)
      ctx.cookies.set(name, all.join('.'), { ...cookieOptions, maxAge: lifetime, signed: true })
      return secret
    },
  }
}

import type { Context } from 'koa'
import { cookieNames, cookieOptions } from '../http/cookies.ts'
import { MINUTE } from '../lib/clock.ts'

const NOTICES = {
  name: 'Saved.',
  address_confirmed: 'Your address is confirmed.',
  address_changed: 'Your address is changed. Every other browser was signed out.',
  way_changed: 'Saved. Every other browser was signed out.',
  device_forgotten: 'That device is asked for the second step again.',
  devices_forgotten: 'Every device is asked for the second step again.',
  password_changed: 'Your password is saved. Every other browser was signed out.',
}

export type Notice = keyof typeof NOTICES

/** A word on the next page about what was done. In a cookie: what stands in an address, anybody can write. */
export type Notices = ReturnType<typeof createNotices>

export function createNotices(issuer: string) {
  const name = cookieNames(issuer).notice
  const options = { ...cookieOptions, signed: false }
  return {
    leave: (ctx: Context, notice: Notice) =>
      void ctx.cookies.set(name, notice, { ...options, maxAge: MINUTE }),
    take(ctx: Context): string | null {
      const left = ctx.cookies.get(name, { signed: false })
      if (left === undefined) return null
      ctx.cookies.set(name, null, options)
      return Object.hasOwn(NOTICES, left) ? NOTICES[left as Notice] : null
    },
  }
}

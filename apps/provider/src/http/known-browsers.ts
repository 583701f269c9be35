import type { KeyObject } from 'node:crypto'
import type { Context } from 'koa'

type Owner = { id: string; generation: number }

/** Browsers in which somebody was signed in before, by a signed cookie bound to the account. */
export type KnownBrowsers = {
  isKnown(ctx: Context, user: Owner): boolean
  /** Names the browser towards limits; null where it is not known. */
  idFor(ctx: Context, user: Owner): string | null
  remember(ctx: Context, user: Owner): void
}

export function createKnownBrowsers(_issuer: string, _key: KeyObject): KnownBrowsers {
  return { isKnown: () => false, idFor: () => null, remember: () => undefined }
}

import type { Context } from 'koa'
import { wayBack } from '../clients/way-back.ts'
import { cookieNames } from '../http/cookies.ts'
import type { AccountDependencies } from './dependencies.ts'

/** Back to the app a person came from, else to the door. Never to an address from a request. */
export async function wayOnFrom(ctx: Context, { provider, config, ownClientId }: AccountDependencies) {
  const origin = ctx.cookies.get(cookieNames(config.ISSUER).origin, { signed: true })
  const client = origin ? await provider.Client.find(origin) : undefined
  return (client && wayBack(client, ownClientId)) ?? { label: 'Sign in', url: '/sign-in' }
}

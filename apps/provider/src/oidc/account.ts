import type { Account, KoaContextWithOIDC } from 'oidc-provider'
import { secondFactorsAmong } from '../config/factors.ts'
import type { DeviceCookie } from '../http/device-cookie.ts'
import type { Recoveries } from '../methods/lost-factors/recoveries.ts'
import type { DeviceStore } from '../users/devices.store.ts'
import type { UserStore } from '../users/store.ts'

/** The claims of OpenID Connect Core, section 5.1, that we can tell the truth about, by the scope that asks for them. */
export const CLAIMS = {
  openid: ['sub', 'auth_time', 'acr', 'amr'],
  profile: ['name'],
  email: ['email', 'email_verified'],
}

type Dependencies = {
  users: UserStore
  devices: DeviceStore
  deviceCookie: DeviceCookie
  recoveries: Recoveries
}

/** Undefined for an account that is gone: no code, no token, no claim is made for it. */
export function createAccountFinder({ users, devices, deviceCookie, recoveries }: Dependencies) {
  return async (ctx: KoaContextWithOIDC, id: string): Promise<Account | undefined> => {
    const user = await users.findUser(id)
    if (!user) return undefined
    const claims = {
      sub: user.id,
      email: user.email,
      email_verified: user.emailVerified,
      ...(user.name && { name: user.name }),
    }
    const secondFactors = async () => secondFactorsAmong(await users.listCredentialTypes(id))
    return {
      accountId: user.id,
      emailVerified: user.emailVerified,
      secondFactors,
      isTrustedDevice: () => devices.isTrusted(user, deviceCookie.read(ctx)),
      recovery: () => recoveries.find(user),
      claims: () => claims,
    }
  }
}

/** How and when the person signed in, for APIs too (RFC 9068, section 2.2.1). */
export function authenticationClaims(ctx: KoaContextWithOIDC): Record<string, unknown> | undefined {
  const proof = ctx.oidc.entities.AuthorizationCode ?? ctx.oidc.entities.RefreshToken
  if (!proof) return undefined
  return { auth_time: proof.authTime, acr: proof.acr, amr: proof.amr }
}

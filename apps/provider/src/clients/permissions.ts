import type { Registry } from './registry.ts'
import type { Consent } from './store.ts'

/** The scopes of OpenID Connect Core (sections 5.4 and 11) we know, each as the sentence people agree to. */
export const OPENID_SCOPES: Record<string, string> = {
  openid: 'Know that it is you',
  profile: 'See your name',
  email: 'See your e-mail address',
  offline_access: 'Stay connected while you are not using it',
}

type Wish = {
  scope: string
  /** The APIs the request names (RFC 8707). */
  audiences: string[]
  /** The scopes of APIs this client may ask for; all where its registration does not say. */
  apiScopes?: string[] | undefined
}

/** What a request asks for: our own scopes, and the scopes of each API it names. */
export function requestedPermissions(registry: Registry, { scope, audiences, apiScopes }: Wish): Consent {
  const wanted = scope.split(' ').filter(Boolean)
  const resources: Consent['resources'] = {}
  for (const audience of audiences) {
    const resource = registry.findResource(audience)
    const scopes = wanted.filter(
      (name) => resource && Object.hasOwn(resource.scopes, name) && (apiScopes?.includes(name) ?? true),
    )
    if (scopes.length) resources[audience] = scopes
  }
  return { scopes: wanted.filter((name) => Object.hasOwn(OPENID_SCOPES, name)), resources }
}

/** Has all of this been allowed before? */
export function covers(allowed: Consent | null, wanted: Consent): boolean {
  if (!allowed) return false
  const holds = (have: string[] | undefined, want: string[]) => want.every((scope) => have?.includes(scope))
  return (
    holds(allowed.scopes, wanted.scopes) &&
    Object.entries(wanted.resources).every(([audience, scopes]) => holds(allowed.resources[audience], scopes))
  )
}

/** One plain sentence a permission, in the order asked. */
export function describePermissions(registry: Registry, wanted: Consent): string[] {
  const ofApis = Object.entries(wanted.resources).flatMap(([audience, scopes]) => {
    const resource = registry.findResource(audience)
    return scopes.map((scope) => `${resource?.scopes[scope] ?? scope} (${resource?.name ?? audience})`)
  })
  return [...wanted.scopes.map((scope) => OPENID_SCOPES[scope] ?? scope), ...ofApis]
}

/** The engine's grant, as far as it is filled here. */
type Fillable = { addOIDCScope(scope: string): void; addResourceScope(audience: string, scope: string): void }

/** Writes what was allowed into a fresh grant. */
export function fillGrant(grant: Fillable, { scopes, resources }: Consent): void {
  if (scopes.length) grant.addOIDCScope(scopes.join(' '))
  for (const [audience, names] of Object.entries(resources)) grant.addResourceScope(audience, names.join(' '))
}

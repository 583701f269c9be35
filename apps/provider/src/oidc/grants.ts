import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Authorization } from '../artifacts/end-session.ts'
import { covers, fillGrant } from '../clients/permissions.ts'
import type { Consent, ConsentStore } from '../clients/store.ts'

/**
 * What this request may have without asking. A grant covers exactly what was asked and is never widened later, so that
 * an old permission cannot leak into a new token. First-party clients are not asked; others are remembered.
 */
export function createGrantLoader(consents: ConsentStore) {
  return async (ctx: KoaContextWithOIDC) => {
    const { client, session, account } = ctx.oidc
    if (!client || !session || !account) return undefined
    const grant = await findGrant(ctx, consents)
    if (grant) keepEarlier(session.authorizationFor(client.clientId), grant.jti)
    return grant
  }
}

async function findGrant(ctx: KoaContextWithOIDC, consents: ConsentStore): Promise<Grant | undefined> {
  const { client, session, provider, result, account } = ctx.oidc
  const justAllowed = result?.consent?.grantId
  if (justAllowed) return provider.Grant.find(justAllowed)

  const wanted = wantedBy(ctx)
  const current = session!.grantIdFor(client!.clientId)
  const grant = current ? await provider.Grant.find(current) : undefined
  if (grant && covers(contentOf(grant), wanted)) return grant

  const allowed =
    client!['first_party'] === true ||
    covers(await consents.findConsent(account!.accountId, client!.clientId), wanted)
  return allowed ? createGrant(ctx, wanted) : undefined
}

/** The session will name the new grant alone; what was issued from the one before must still end with it. */
function keepEarlier(authorization: Authorization, next: string): void {
  const { grantId, earlierGrants = [] } = authorization
  if (!grantId || grantId === next || earlierGrants.includes(grantId)) return
  authorization.earlierGrants = [...earlierGrants, grantId]
}

type Grant = InstanceType<KoaContextWithOIDC['oidc']['provider']['Grant']>

async function createGrant(ctx: KoaContextWithOIDC, content: Consent): Promise<Grant> {
  const { provider, client, account } = ctx.oidc
  const grant = new provider.Grant({ clientId: client!.clientId, accountId: account!.accountId })
  fillGrant(grant, content)
  await grant.save()
  return grant
}

function wantedBy(ctx: KoaContextWithOIDC): Consent {
  const requested = [...ctx.oidc.requestParamScopes]
  const resources = Object.entries(ctx.oidc.resourceServers ?? {}).map(([audience, server]) => {
    const scopes = server.scopes
    return [audience, requested.filter((scope) => scopes.has(scope))] as const
  })
  return {
    scopes: [...ctx.oidc.requestParamOIDCScopes],
    resources: Object.fromEntries(resources.filter(([, scopes]) => scopes.length > 0)),
  }
}

function contentOf(grant: Grant): Consent {
  const words = (text: string | undefined) => (text ?? '').split(' ').filter(Boolean)
  const resources = Object.entries(grant.resources ?? {}).map(([audience, scope]) => [audience, words(scope)])
  return { scopes: words(grant.getOIDCScope()), resources: Object.fromEntries(resources) }
}

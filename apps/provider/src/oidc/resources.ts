import { errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider'
import type { Registry } from '../clients/registry.ts'
import { seconds } from '../lib/duration.ts'

type Client = NonNullable<KoaContextWithOIDC['oidc']['client']>

/** Which API an access token is for, and what it may do there (RFC 8707). */
export function createResources(registry: Registry) {
  return {
    enabled: true,

    /** An app that does not name its API but asks for its scopes gets the API they belong to. */
    defaultResource(ctx: KoaContextWithOIDC, _client: Client, oneOf?: string[]) {
      const [granted] = oneOf ?? []
      return granted ?? registry.findResourceByScopes(ctx.oidc.requestParamScopes)?.audience ?? []
    },

    /** next-auth names the API on the authorization request alone; the token request means the same one. */
    useGrantedResource: () => true,

    async getResourceServerInfo(
      ctx: KoaContextWithOIDC,
      audience: string,
      client: Client,
    ): Promise<ResourceServer> {
      const resource = registry.findResource(audience)
      if (!resource) throw new errors.InvalidTarget()
      const allowed = client['api_scopes'] as string[] | undefined
      const scopes = Object.keys(resource.scopes).filter(
        (scope) => allowed?.includes(scope) ?? !isMachine(ctx),
      )
      if (scopes.length === 0) throw new errors.InvalidTarget()
      return {
        audience,
        scope: scopes.join(' '),
        accessTokenTTL: seconds(resource.token_lifetime),
        accessTokenFormat: resource.token_format,
        ...(resource.token_format === 'jwt' && { jwt: { sign: { alg: resource.signing_alg } } }),
      } as ResourceServer
    },
  }
}

/** Where no person agrees to anything, only the registration can say what a client may do. */
const isMachine = ({ oidc }: KoaContextWithOIDC) => oidc.params?.['grant_type'] === 'client_credentials'

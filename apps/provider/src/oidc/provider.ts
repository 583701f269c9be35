// Tells oidc-provider how we work. The table below is the whole of it; the engine's defaults that differ are wrong for us.
import {
  type ClaimsParameter,
  type Configuration,
  type errors,
  type KoaContextWithOIDC,
  Provider,
} from 'oidc-provider'
import type { Ending } from '../artifacts/end-session.ts'
import type { Registry } from '../clients/registry.ts'
import type { ConsentStore } from '../clients/store.ts'
import type { Config } from '../config.ts'
import { createCookieSigner } from '../http/cookie-signer.ts'
import { cookieNames, cookieOptions } from '../http/cookies.ts'
import type { Csrf } from '../http/csrf.ts'
import type { DeviceCookie } from '../http/device-cookie.ts'
import type { Views } from '../http/view.ts'
import type { Keyring } from '../keys/store.ts'
import type { Recoveries } from '../methods/lost-factors/recoveries.ts'
import { ACRS } from '../policy/strength.ts'
import type { DeviceStore } from '../users/devices.store.ts'
import type { UserStore } from '../users/store.ts'
import { authenticationClaims, CLAIMS, createAccountFinder } from './account.ts'
import { accountClient, clientMetadata, EXTRA_METADATA } from './clients.ts'
import { createErrorPage } from './error-page.ts'
import { createGrantLoader } from './grants.ts'
import { lifetimes } from './lifetimes.ts'
import { createPrompts } from './prompts.ts'
import { createResources } from './resources.ts'
import { createSignOut } from './sign-out.ts'
import { SigningKey } from './signing-key.ts'

export type ProviderDependencies = {
  config: Config
  keyring: Keyring
  adapter: Configuration['adapter']
  registry: Registry
  consents: ConsentStore
  users: UserStore
  devices: DeviceStore
  deviceCookie: DeviceCookie
  recoveries: Recoveries
  views: Views
  csrf: Csrf
  isUnavailable: (error: unknown) => boolean
  ending: Ending
}

type Client = NonNullable<KoaContextWithOIDC['oidc']['client']>

const ROTATE_AFTER_PERCENT = 70
const FETCH_LIMIT_BYTES = 64 * 1024

export function createProvider(deps: ProviderDependencies): Provider {
  const { config, keyring, registry, views } = deps
  const provider = new Provider(config.ISSUER, {
    adapter: deps.adapter,
    clients: [accountClient(config.ISSUER, config.branding.name), ...registry.clients.map(clientMetadata)],
    extraClientMetadata: { properties: EXTRA_METADATA },
    jwks: { keys: keyring.signing.map((jwk) => new SigningKey(jwk)) },
    findAccount: createAccountFinder(deps),
    claims: CLAIMS,
    scopes: ['openid', 'offline_access'],
    // next-auth reads name and e-mail from the ID token; the specification allows them there.
    conformIdTokenClaims: false,
    acrValues: [...ACRS],
    responseTypes: ['code', 'none'],
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    clientDefaults: { id_token_signed_response_alg: 'RS256' },
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'ES256'],
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      userinfoSigningAlgValues: ['RS256', 'ES256'],
    },
    clientBasedCORS: isAllowedOrigin,
    loadExistingGrant: createGrantLoader(deps.consents),
    issueRefreshToken,
    rotateRefreshToken,
    // Tokens of the house's own apps outlive the browser's session; signing out ends them (artifacts/end-session.ts).
    expiresWithSession: (ctx, token) => !isFirstParty(ctx.oidc.client) && !token.scopes.has('offline_access'),
    revokeGrantPolicy: () => true,
    extraTokenClaims: authenticationClaims,
    ttl: lifetimes(config.policy.lifetimes),
    cookies: {
      keys: createCookieSigner(keyring.cookies) as unknown as string[],
      names: cookieNames(config.ISSUER),
      long: { ...cookieOptions, signed: true },
      short: { ...cookieOptions, path: undefined, signed: true },
    },
    interactions: {
      policy: createPrompts(config),
      url: (_ctx, interaction) => `/interaction/${interaction.uid}`,
    },
    renderError: createErrorPage(views, deps.isUnavailable),
    fetchResponseBodyLimits: { jwks_uri: FETCH_LIMIT_BYTES, sector_identifier_uri: FETCH_LIMIT_BYTES },
    features: {
      devInteractions: { enabled: false },
      // For an essential `acr`.
      claimsParameter: { enabled: true, assertClaimsParameter: keepAuthenticationClaims },
      clientCredentials: { enabled: true },
      // Offered, never demanded: a client that binds its tokens to a key (RFC 9449) gets what it asks for.
      dPoP: { enabled: true },
      externalSigningSupport: { enabled: true, ack: 'experimental-01' },
      introspection: { enabled: true, allowedPolicy: createIntrospectionPolicy(deps.users) },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx: KoaContextWithOIDC, client: Client, token: Introspected) =>
          token.clientId === client.clientId,
      },
      resourceIndicators: createResources(registry),
      rpInitiatedLogout: createSignOut({
        ...deps,
        issuer: config.ISSUER,
      }),
    },
  } as Configuration)
  provider.proxy = true
  provider.on('authorization.error', keepHere)
  return provider
}

/**
 * Of the `claims` parameter (OpenID Connect Core, section 5.5) what says how somebody is to sign in; all others are asked for
 * by scope, which is what people are told about, and a claim that is not given is no error.
 */
function keepAuthenticationClaims(ctx: KoaContextWithOIDC, claims: ClaimsParameter): void {
  const { acr, auth_time } = (claims.id_token ?? {}) as Record<string, unknown>
  const kept = { ...(acr !== undefined && { acr }), ...(auth_time !== undefined && { auth_time }) }
  ctx.oidc.params!['claims'] = JSON.stringify({ id_token: kept })
}

const isFirstParty = (client: Client | undefined) => client?.['first_party'] === true

/** Whoever gets PKCE wrong is told here what to send, and not by a redirect: nothing about such a request can be trusted. */
function keepHere(_ctx: KoaContextWithOIDC, error: errors.OIDCProviderError): void {
  if (/code_challenge|PKCE/.test(error.error_description ?? '')) error.allow_redirect = false
}

/** The engine drops `offline_access` where nobody is asked for consent; who can keep a secret may refresh all the same. */
function issueRefreshToken(
  _ctx: KoaContextWithOIDC,
  client: Client,
  source: { scopes: Set<string> },
): boolean {
  if (!client.grantTypeAllowed('refresh_token')) return false
  return source.scopes.has('offline_access') || isFirstParty(client) || client.clientAuthMethod !== 'none'
}

/**
 * Public clients rotate at each use (RFC 9700, section 4.14.2). For the others the client's own secret already binds
 * the token, and rotation would only lose sessions whose answer got lost: they rotate late in its life.
 */
function rotateRefreshToken(ctx: KoaContextWithOIDC): boolean {
  const { client, entities } = ctx.oidc
  if (client?.clientAuthMethod === 'none') return true
  return (entities.RefreshToken?.ttlPercentagePassed() ?? 0) >= ROTATE_AFTER_PERCENT
}

type Introspected = { clientId?: string; accountId?: string; aud?: string | string[] }

/**
 * A client sees its own tokens; an API registered as `resource_server` sees those meant for it (RFC 7662, section 4).
 * The engine does not ask here whether the account is still there.
 */
function createIntrospectionPolicy(users: UserStore) {
  return async (_ctx: KoaContextWithOIDC, client: Client, token: Introspected): Promise<boolean> => {
    const audience = client['resource_server']
    const mayAsk =
      token.clientId === client.clientId || (typeof audience === 'string' && token.aud === audience)
    return mayAsk && (!token.accountId || (await users.findUser(token.accountId)) !== null)
  }
}

/** Browser apps may call us from the origins they registered, or else from those of their redirect addresses. */
function isAllowedOrigin(_ctx: KoaContextWithOIDC, origin: string, client: Client): boolean {
  const named = client['allowed_origins'] as string[] | undefined
  if (named) return named.includes(origin)
  const ownOrigins = (client.redirectUris ?? []).map((uri) => new URL(uri).origin)
  return client.clientAuthMethod === 'none' && origin !== 'null' && ownOrigins.includes(origin)
}

import type { ClientMetadata } from 'oidc-provider'
import { OWN_PAGES } from '../clients/own-pages.ts'
import { OPENID_SCOPES } from '../clients/permissions.ts'
import type { ClientConfig } from '../config.ts'

/** What we keep about a client beyond the registered metadata (RFC 7591, section 2). */
export const EXTRA_METADATA = [
  'first_party',
  'api_scopes',
  'allowed_origins',
  'resource_server',
  'require_confirmed_email',
  'require_second_factor',
]

/** Our own pages' client: it asks for nothing but a session, and no token is ever made for it. */
export const ACCOUNT_CLIENT_ID = 'anteroom-account'

export function accountClient(issuer: string, name: string): ClientMetadata {
  return {
    client_id: ACCOUNT_CLIENT_ID,
    client_name: name,
    redirect_uris: OWN_PAGES.map((page) => `${issuer}${page}`),
    response_types: ['none'],
    grant_types: [],
    token_endpoint_auth_method: 'none',
    scope: 'openid',
    first_party: true,
  }
}

const isOurs = (scope: string) => Object.hasOwn(OPENID_SCOPES, scope)

const GRANT_TYPES = ['authorization_code', 'refresh_token']

/**
 * A client of the configuration file in the engine's terms. The engine's `scope` limits OpenID Connect scopes alone,
 * so the scopes of APIs are kept beside it.
 */
export function clientMetadata({ scope, ...client }: ClientConfig): ClientMetadata {
  const scopes = scope?.split(' ').filter(Boolean)
  return {
    grant_types: GRANT_TYPES,
    response_types: ['code'],
    ...client,
    ...(scopes && { scope: scopes.filter(isOurs).join(' ') || 'openid' }),
    ...(scopes && { api_scopes: scopes.filter((name) => !isOurs(name)) }),
  }
}

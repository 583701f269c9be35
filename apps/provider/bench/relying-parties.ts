// Who asks: the clients and the API that both contenders know, in the terms of Anteroom's configuration file.
import { createHash, randomBytes } from 'node:crypto'

export type RelyingParty = {
  client_id: string
  client_secret?: string
  token_endpoint_auth_method?: string
  redirect_uris: string[]
  grant_types: string[]
  response_types: string[]
  scope: string
  id_token_signed_response_alg?: string
}

export const REDIRECT_URI = 'http://localhost:3999/callback'

/** ES256 ID tokens for both contenders: an RS256 signature would hide the rest. */
const app = {
  redirect_uris: [REDIRECT_URI],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  scope: 'openid email',
  id_token_signed_response_alg: 'ES256',
}

export const WEB: RelyingParty = { ...app, client_id: 'bench-web', client_secret: 'w'.repeat(32) }

/** Public, so its refresh tokens rotate at each use. */
export const SPA: RelyingParty = {
  ...app,
  client_id: 'bench-spa',
  token_endpoint_auth_method: 'none',
}

/** Acts for itself and never for a person. */
export const JOB: RelyingParty = {
  client_id: 'bench-job',
  client_secret: 'j'.repeat(32),
  redirect_uris: [],
  grant_types: ['client_credentials'],
  response_types: [],
  scope: 'openid api:read',
}

export const RELYING_PARTIES = [WEB, SPA, JOB]

export const API = { audience: 'http://localhost:8999', scope: 'api:read', tokenSeconds: 600 }

/** One for all requests: it costs the server the same, and the load nothing. */
export const PKCE_VERIFIER = randomBytes(32).toString('base64url')

/** The authorization request of an app for this person's ID, access and refresh token. */
export const authorizationPath = ({ client_id, scope }: RelyingParty): string =>
  `/auth?${new URLSearchParams({
    client_id,
    response_type: 'code',
    scope,
    redirect_uri: REDIRECT_URI,
    code_challenge: createHash('sha256').update(PKCE_VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
    state: 'bench',
  })}`

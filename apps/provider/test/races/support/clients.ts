import { createHash } from 'node:crypto'
import type { ClientMetadata } from 'oidc-provider'

/** All processes are one issuer, wherever they listen. */
export const ISSUER = 'https://op.example'
export const REDIRECT_URI = 'https://app.example/callback'
export const SCOPE = 'openid offline_access'
export const VERIFIER = 'correct-horse-battery-staple-correct-horse-battery'
export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')

const common = {
  redirect_uris: [REDIRECT_URI],
  response_types: ['code' as const],
  grant_types: ['authorization_code', 'refresh_token'],
}

/** The refresh tokens of `spa` and `web` rotate, those of `steady` do not. */
export const CLIENTS: ClientMetadata[] = [
  { ...common, client_id: 'spa', token_endpoint_auth_method: 'none' },
  {
    ...common,
    client_id: 'web',
    client_secret: 'secret',
    grant_types: [...common.grant_types, 'client_credentials'],
  },
  {
    client_id: 'machine',
    client_secret: 'a secret long enough for HMAC-SHA256',
    token_endpoint_auth_method: 'client_secret_jwt',
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
  },
  { ...common, client_id: 'steady', client_secret: 'secret' },
  {
    client_id: 'tv',
    client_secret: 'secret',
    redirect_uris: [],
    response_types: [],
    grant_types: [DEVICE_GRANT, 'refresh_token'],
  },
]

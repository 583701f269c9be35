// A small OpenID Provider on the engine's storage: one person, a few clients, no pages. Codes are minted on request.
import { generateKeyPairSync } from 'node:crypto'
import { type Configuration, Provider } from 'oidc-provider'
import type { EngineStorage } from '../../../src/oidc/adapter.ts'
import { CHALLENGE, CLIENTS, ISSUER, REDIRECT_URI, SCOPE } from './clients.ts'

const ACCOUNT = 'alice'

export function createProvider(storage: EngineStorage): Provider {
  const provider = new Provider(ISSUER, { ...CONFIGURATION, adapter: storage.adapter })
  storage.attach(provider)
  provider.use(async (ctx, next) => {
    if (ctx.path !== '/mint') return next()
    ctx.body = { code: await mintCode(provider, String(ctx.query['client_id'])) }
  })
  return provider
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const CONFIGURATION: Configuration = {
  clients: CLIENTS,
  jwks: {
    keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'test', alg: 'ES256', use: 'sig' } as never],
  },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  cookies: { keys: ['test'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  rotateRefreshToken: ({ oidc }) => oidc.client?.clientId !== 'steady',
  ttl: {
    AccessToken: 3600,
    AuthorizationCode: 60,
    ClientCredentials: 600,
    Grant: 86400,
    IdToken: 600,
    RefreshToken: 86400,
  },
}

async function mintCode(provider: Provider, clientId: string): Promise<string> {
  const grant = new provider.Grant({ accountId: ACCOUNT, clientId })
  grant.addOIDCScope(SCOPE)
  const code = new provider.AuthorizationCode({
    accountId: ACCOUNT,
    client: (await provider.Client.find(clientId))!,
    grantId: await grant.save(),
    gty: 'authorization_code',
    scope: SCOPE,
    redirectUri: REDIRECT_URI,
    codeChallenge: CHALLENGE,
    codeChallengeMethod: 'S256',
  })
  return code.save()
}

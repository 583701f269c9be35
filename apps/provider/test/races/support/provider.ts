// A small OpenID Provider on the engine's storage: one person, a few clients, no pages. What would take a person to be
// there (a code, a device's approval, a session) is minted on request.
import { generateKeyPairSync } from 'node:crypto'
import type { Context } from 'koa'
import { type Configuration, Provider } from 'oidc-provider'
import type { UnitOfWork } from '../../../src/db/unit-of-work.ts'
import type { EngineStorage } from '../../../src/oidc/adapter.ts'
import { inUnitOfWork } from '../../../src/oidc/unit.ts'
import { answerProblems } from '../../support/koa.ts'
import { CHALLENGE, CLIENTS, ISSUER, REDIRECT_URI, SCOPE } from './clients.ts'

const ACCOUNT = 'alice'

export function createProvider(storage: EngineStorage, work: UnitOfWork): Provider {
  const provider = new Provider(ISSUER, { ...CONFIGURATION, adapter: storage.adapter })
  storage.attach(provider)
  provider.use(answerProblems)
  provider.use(inUnitOfWork(work))
  provider.use(async (ctx, next) => {
    const mint = MINTS[ctx.path]
    if (!mint) return next()
    ctx.body = await mint(provider, ctx)
  })
  return provider
}

type Mint = (provider: Provider, ctx: Context) => Promise<object>

const MINTS: Record<string, Mint> = { '/mint': mintCode, '/approve': approveDevice, '/enter': openSession }

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
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  revokeGrantPolicy: () => true,
  rotateRefreshToken: ({ oidc }) => oidc.client?.clientId !== 'steady',
  ttl: {
    AccessToken: 3600,
    AuthorizationCode: 60,
    ClientCredentials: 600,
    DeviceCode: 600,
    Grant: 86400,
    IdToken: 600,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 86400,
  },
}

async function mintCode(provider: Provider, ctx: Context): Promise<object> {
  const clientId = String(ctx.query['client_id'])
  const code = new provider.AuthorizationCode({
    accountId: ACCOUNT,
    client: (await provider.Client.find(clientId))!,
    grantId: await allow(provider, clientId),
    gty: 'authorization_code',
    scope: SCOPE,
    redirectUri: REDIRECT_URI,
    codeChallenge: CHALLENGE,
    codeChallengeMethod: 'S256',
  })
  return { code: await code.save() }
}

/** As the engine does when the person says yes (`actions/authorization/device.js`). */
async function approveDevice(provider: Provider, ctx: Context): Promise<object> {
  const code = (await provider.DeviceCode.find(String(ctx.query['device_code'])))!
  const grantId = await allow(provider, code.clientId!)
  await Object.assign(code, { accountId: ACCOUNT, grantId, scope: SCOPE }).save()
  return { approved: true }
}

/** The browser is signed in, and the client allowed. */
async function openSession(provider: Provider, ctx: Context): Promise<object> {
  const clientId = String(ctx.query['client_id'])
  const session = await provider.Session.get(ctx)
  session.loginAccount({ accountId: ACCOUNT })
  session.ensureClientContainer(clientId)
  session.grantIdFor(clientId, await allow(provider, clientId))
  ctx.cookies.set(provider.cookieName('session'), await session.save(86400), { signed: true })
  return { entered: true }
}

async function allow(provider: Provider, clientId: string): Promise<string> {
  const grant = new provider.Grant({ accountId: ACCOUNT, clientId })
  grant.addOIDCScope(SCOPE)
  return grant.save()
}

// The ceiling: bare oidc-provider on a plain Map, which forgets nothing, checks nothing and waits for nothing. The
// engine's own adapter is no yardstick: it evicts live sessions and walks every token of a grant at each save.
import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import Provider, { type Adapter, type AdapterPayload, type Configuration, type JWK } from 'oidc-provider'
import { answerQuestions, measureMemory } from './questions.ts'
import { API, RELYING_PARTIES } from './relying-parties.ts'

const rows = new Map<string, AdapterPayload>()
const byGrant = new Map<string, Set<string>>()
const sessions = new Map<string, string>()

const adapter = (kind: string): Adapter => ({
  async upsert(id, payload) {
    const key = `${kind}:${id}`
    rows.set(key, payload)
    if (payload.uid) sessions.set(payload.uid, key)
    if (payload.grantId) byGrant.set(payload.grantId, (byGrant.get(payload.grantId) ?? new Set()).add(key))
  },
  find: async (id) => rows.get(`${kind}:${id}`),
  findByUid: async (uid) => rows.get(sessions.get(uid) ?? ''),
  findByUserCode: async () => undefined,
  async consume(id) {
    rows.get(`${kind}:${id}`)!.consumed = Math.floor(Date.now() / 1000)
  },
  async destroy(id) {
    rows.delete(`${kind}:${id}`)
  },
  async revokeByGrantId(grantId) {
    for (const key of byGrant.get(grantId) ?? []) rows.delete(key)
    byGrant.delete(grantId)
  },
})

/** Between rounds only: a process that grew to gigabytes would be slower than the ceiling is. */
function forgetTokens(): void {
  for (const key of rows.keys()) if (!/^(Session|Grant):/.test(key)) rows.delete(key)
  byGrant.clear()
}

const jwk = (kid: string, alg: string, { privateKey }: KeyPairKeyObjectResult) =>
  ({ ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }) as JWK

const issuer = `http://127.0.0.1:${process.env['PORT']}`

/** Where it concerns work done, as oidc/provider.ts has it; everything else is the engine's default. */
const provider = new Provider(issuer, {
  adapter,
  clients: RELYING_PARTIES.map(({ scope, ...client }) => client),
  jwks: {
    keys: [
      jwk('rsa', 'RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })),
      jwk('ec', 'ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    ],
  },
  cookies: { keys: ['bench'] },
  claims: { openid: ['sub'], email: ['email'] },
  conformIdTokenClaims: false,
  responseTypes: ['code'],
  pkce: { required: () => true },
  ttl: {
    AccessToken: 600,
    AuthorizationCode: 60,
    ClientCredentials: 600,
    Grant: 7_776_000,
    IdToken: 600,
    Interaction: 900,
    RefreshToken: 1_209_600,
    Session: 86_400,
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: {
      enabled: true,
      allowedPolicy: (_: unknown, client: { clientId: string }, token: { clientId?: string }) =>
        token.clientId === client.clientId,
    },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        audience: API.audience,
        scope: API.scope,
        accessTokenTTL: API.tokenSeconds,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  issueRefreshToken: () => true,
  rotateRefreshToken: (ctx) => ctx.oidc.client?.clientAuthMethod === 'none',
  expiresWithSession: () => false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com` }) }),
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  async loadExistingGrant({ oidc }) {
    const known = oidc.session!.grantIdFor(oidc.client!.clientId)
    if (known) return oidc.provider.Grant.find(known)
    const grant = new oidc.provider.Grant({
      accountId: oidc.session!.accountId,
      clientId: oidc.client!.clientId,
    })
    grant.addOIDCScope('openid email')
    await grant.save()
    return grant
  },
} as Configuration)

let people = 0

/** Whoever comes is let in as somebody new: there is no sign-in to measure here. */
async function signIn(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const login = { accountId: `person${++people}` }
  const location = await provider.interactionResult(req, res, { login })
  res.writeHead(303, { location, 'content-length': 0 }).end()
}

const handle = provider.callback()
createServer((req, res) => {
  if (req.url?.startsWith('/interaction/')) void signIn(req, res)
  else void handle(req, res)
}).listen(Number(process.env['PORT']), '127.0.0.1')

answerQuestions({
  rest: async () => forgetTokens(),
  tell: async () => ({ ...measureMemory(), statements: 0, rowsWritten: 0, processes: [] }),
  trace: async () => [],
  database: async () => null,
})

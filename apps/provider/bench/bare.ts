// The ceiling: bare oidc-provider on a plain Map, which forgets nothing and checks nothing. Its own adapter is no
// yardstick: it evicts live sessions and walks every token of a grant at each save.
import { generateKeyPairSync } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import Provider, { type Adapter, type AdapterPayload, type JWK } from 'oidc-provider'
import { BENCH_CLIENTS } from './load.ts'

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

const jwk = (kid: string, alg: string, pair: { privateKey: { export(o: { format: 'jwk' }): object } }) =>
  ({ ...pair.privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }) as JWK

const port = Number(process.env['PORT'])
const provider = new Provider(`http://localhost:${port}`, {
  adapter,
  clients: BENCH_CLIENTS.map(({ first_party, ...client }) => client),
  jwks: {
    keys: [
      jwk('rsa', 'RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })),
      jwk('ec', 'ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    ],
  },
  cookies: { keys: ['bench'] },
  claims: { openid: ['sub'], email: ['email'] },
  responseTypes: ['code'],
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
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
})
let people = 0
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next()
  ctx.redirect(
    await provider.interactionResult(ctx.req, ctx.res, { login: { accountId: `person${++people}` } }),
  )
})
provider.listen(port, 'localhost', function (this: { address(): AddressInfo }) {
  process.send?.({ port: this.address().port })
})

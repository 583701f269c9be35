// Translates oidc-provider's adapter contract onto the promises of artifacts/.
import Provider, { type Adapter, type AdapterFactory, type AdapterPayload, errors } from 'oidc-provider'
import type { ArtifactStore, StoredArtifact } from '../artifacts/store.ts'
import { createRefreshWindow } from './refresh-window.ts'

/** What a Provider needs so that its memory is ours. One serves any number of Providers, one after the other. */
export type EngineStorage = {
  /** For `configuration.adapter`. */
  adapter: AdapterFactory
  /** To be called on each Provider before its first request. */
  attach(provider: Provider): void
}

/** @param refreshWindow milliseconds in which a repeated refresh gets the same successor; 0 makes each a replay. */
export function createEngineStorage(store: ArtifactStore, refreshWindow: number): EngineStorage {
  const window = createRefreshWindow(store, refreshWindow)
  return {
    adapter: (kind) => {
      const adapter = createAdapter(store, kind)
      if (kind === 'RefreshToken') return window.widen(adapter)
      if (kind === 'ReplayDetection') return { ...adapter, upsert: claimOnce(store) }
      if (kind === 'Interaction') return { ...adapter, upsert: withoutCookie(adapter) }
      return adapter
    },
    attach(provider) {
      window.attach(provider)
      answerReplays(provider)
    },
  }
}

function createAdapter(store: ArtifactStore, kind: string): Adapter {
  return {
    find: async (id) => toPayload(await store.find(kind, id)),
    findByUid: async (uid) => toPayload(await store.findSessionByUid(uid)),
    findByUserCode: async (userCode) => toPayload(await store.findDeviceByUserCode(userCode)),
    upsert: (id, payload, lifetime) => store.upsert({ kind, id, payload, lifetime }),
    async consume(id) {
      if (!(await store.consume(kind, id))) await refuseSecondUse(store, kind, id)
    },
    async destroy(id) {
      const wasThere = await store.destroy(kind, id)
      // The engine looks, then destroys: of those that come back from one interaction at once only one may go on.
      if (kind === 'Interaction' && !wasThere)
        throw new errors.SessionNotFound('interaction session not found')
    },
    revokeByGrantId: (grantId) => store.revokeByGrantId(grantId),
  }
}

/** Long before any clock of ours, but true, for 0 reads as "no expiry" in places. */
const LONG_AGO = 1

/** The engine looks at `exp` with its own clock; what the database's clock calls expired must be so there too. */
function toPayload(stored: StoredArtifact | undefined): AdapterPayload | undefined {
  if (!stored) return undefined
  const payload: AdapterPayload = { ...stored.payload }
  if (stored.expired) payload.exp = LONG_AGO
  if (stored.consumption) payload.consumed = Math.floor(stored.consumption.at)
  return payload
}

/**
 * The engine checks, then consumes: of those that check in the same moment all but one arrive here. They get what it
 * answers to a replay it sees itself, and with it goes all that was issued (RFC 6749, section 4.1.2).
 */
async function refuseSecondUse(store: ArtifactStore, kind: string, id: string): Promise<never> {
  if (kind === 'PushedAuthorizationRequest')
    throw new errors.InvalidRequestUri('request_uri was already used')
  const grantId = (await store.find(kind, id))?.payload.grantId
  if (grantId) {
    await store.revokeGrant(grantId)
    Provider.ctx?.oidc.provider.emit('grant.revoked', Provider.ctx, grantId)
  }
  throw new errors.InvalidGrant(`${kind} was already used`)
}

class Replayed extends errors.InvalidRequest {}

const claimOnce =
  (store: ArtifactStore): Adapter['upsert'] =>
  async (id, payload, lifetime) => {
    const first = await store.claim({ kind: 'ReplayDetection', id, payload, lifetime })
    if (!first) throw new Replayed('this was already used')
  }

/**
 * The engine asks `unique` and knows best how to refuse: an assertion seen before is `invalid_client`, a DPoP proof
 * `invalid_grant` or `invalid_token`. Losing the race to write one down means no more than "no".
 */
function answerReplays({ ReplayDetection }: Provider): void {
  const { unique } = ReplayDetection
  ReplayDetection.unique = async (...args) => {
    try {
      return await unique.apply(ReplayDetection, args)
    } catch (error) {
      if (error instanceof Replayed) return false
      throw error
    }
  }
}

/** An interaction remembers the session's id for nothing the engine does: a secret that need not be kept. */
const withoutCookie =
  (adapter: Adapter): Adapter['upsert'] =>
  (id, payload, lifetime) => {
    const session = payload.session && { ...payload.session, cookie: undefined }
    return adapter.upsert(id, { ...payload, session }, lifetime)
  }

// Translates oidc-provider's adapter contract onto the promises of artifacts/.
import type { KeyObject } from 'node:crypto'
import { type Adapter, type AdapterFactory, type AdapterPayload, errors, type Provider } from 'oidc-provider'
import { rowId } from '../artifacts/artifact.ts'
import type { ArtifactStore, StoredArtifact } from '../artifacts/store.ts'
import { createRefreshWindow, type Rotate } from './refresh-window.ts'

/** What a Provider needs so that its memory is ours. One serves any number of Providers, one after the other. */
export type EngineStorage = {
  /** For `configuration.adapter`. */
  adapter: AdapterFactory
  /** To be called on each Provider before its first request. */
  attach(provider: Provider): void
}

/**
 * @param secrets successors of refresh tokens are derived from the first; the others are those of instances not yet renewed
 * @param refreshWindow milliseconds in which a repeated refresh gets the same successor; 0 makes each a replay
 */
export function createEngineStorage(
  store: ArtifactStore,
  { secrets, refreshWindow }: { secrets: KeyObject[]; refreshWindow: number },
): EngineStorage {
  const window = createRefreshWindow(store, { secrets, length: refreshWindow })
  return {
    adapter: (kind) => {
      const adapter = createAdapter(store, kind)
      if (kind === 'RefreshToken') return window.widen(adapter, rotateOnce(store))
      if (kind === 'ReplayDetection') return { ...adapter, upsert: claimOnce(store) }
      if (kind === 'Interaction') return createInteractionAdapter(store, adapter)
      if (kind === 'Session') return { ...adapter, upsert: whenChanged(store, adapter) }
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
    consume: (id) => store.consume(kind, id, () => refuseSecondUse(store, kind, id)),
    destroy: (id) => store.destroy(kind, id),
    revokeByGrantId: (grantId) => store.revokeByGrantId(grantId),
  }
}

/** Consumes a refresh token in favour of one successor. */
const rotateOnce =
  (store: ArtifactStore): Rotate =>
  (token, successor) =>
    store.consume(
      'RefreshToken',
      token,
      () => refuseSecondUse(store, 'RefreshToken', token),
      rowId('RefreshToken', successor),
    )

const createInteractionAdapter = (store: ArtifactStore, adapter: Adapter): Adapter => ({
  ...adapter,
  ...leftOnce(store),
  find: async (id) => toPayload(withoutOldProof(await store.find('Interaction', id))),
  upsert: withoutCookie(adapter),
})

/**
 * What a person proved before a credential of theirs changed proves nothing any more: to the engine they have not signed
 * in yet, and it asks them. A proof that does not say when it was made is from before there were generations.
 */
function withoutOldProof(stored: StoredArtifact | undefined): StoredArtifact | undefined {
  const { login, ...rest } = stored?.payload.result ?? {}
  if (!stored || !login || Number(login.generation ?? 0) >= (stored.generation ?? 0)) return stored
  return { ...stored, payload: { ...stored.payload, result: rest } }
}

/** The engine looks, then destroys: of those that come back from one interaction at once only one may go on. */
const leftOnce = (store: ArtifactStore): Pick<Adapter, 'destroy'> => ({
  destroy: (id) =>
    store.end('Interaction', id, async () => {
      throw new errors.SessionNotFound('interaction session not found')
    }),
})

/** Long before any clock of ours, but true, for 0 reads as "no expiry" in places. */
const LONG_AGO = 1

/**
 * The engine looks at `exp` with its own clock; what the database's clock calls expired must be so there too. But it
 * looks at `exp` first, and a replay that comes late must still be known for one: what was consumed never expires.
 */
function toPayload(stored: StoredArtifact | undefined): AdapterPayload | undefined {
  if (!stored) return undefined
  const { payload, expired, consumption } = stored
  if (consumption) return { ...payload, exp: undefined, consumed: Math.floor(consumption.at) }
  return expired ? { ...payload, exp: LONG_AGO } : { ...payload }
}

/**
 * The engine checks, then consumes: of those that check in the same moment all but one arrive here. They get what it
 * answers to a replay it sees itself, and with it goes all that was issued (RFC 6749, section 4.1.2).
 */
async function refuseSecondUse(store: ArtifactStore, kind: string, id: string): Promise<never> {
  if (kind === 'PushedAuthorizationRequest')
    throw new errors.InvalidRequestUri('request_uri was already used')
  const grantId = (await store.find(kind, id))?.payload.grantId
  if (grantId) await store.revokeGrant(grantId)
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

/** How late a session's sliding end may be written: a share of its lifetime, and never more than this. */
const SLIDE_SHARE = 0.05
const SLIDE_SECONDS = 5 * 60

/** The engine saves the session on every request; an end that slid by moments alone is not worth a write. */
const whenChanged =
  (store: ArtifactStore, adapter: Adapter): Adapter['upsert'] =>
  async (id, payload, lifetime) => {
    const stored = store.recall('Session', id)
    const late = (payload.exp ?? 0) - (stored?.payload.exp ?? 0)
    const mayWait = late >= 0 && late <= Math.min(SLIDE_SECONDS, SLIDE_SHARE * (lifetime ?? 0))
    if (stored && mayWait && sameButTimes(stored.payload, payload)) return
    await adapter.upsert(id, payload, lifetime)
  }

const sameButTimes = (one: object, other: object) => timeless(one) === timeless(other)
const timeless = (payload: object) =>
  JSON.stringify(Object.entries({ ...payload, exp: 0, iat: 0 }).sort(([a], [b]) => (a < b ? -1 : 1)))

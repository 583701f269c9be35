// Remembers what the protocol engine must not forget: the only place that knows the table `artifacts`.
import type { Pool } from 'pg'
import { type Artifact, columnText, type Payload, rowId, toRow, withId } from './artifact.ts'

/** How something was used up. All times are the database's: the processes' clocks may differ. */
export type Consumption = {
  /** Seconds since 1970. */
  at: number
  /** Milliseconds ago. */
  age: number
  /** Of a rotated refresh token: what `consume` was told, for the one who repeats the request. */
  rotation?: Rotation
}

/** What rotating a refresh token leaves behind: which request did it, and the successor, sealed by the caller. */
export type Rotation = { requestedBy: string; successor: Buffer }

/** An expired artefact is still found: whether a replay or only a latecomer presents it is not for the store to say. */
export type StoredArtifact = { payload: Payload; expired: boolean; consumption?: Consumption }

/** Every promise holds across processes. An error of the database is never turned into an answer: it is thrown. */
export type ArtifactStore = {
  find(kind: string, id: string): Promise<StoredArtifact | undefined>
  /** The session last written under that uid; its id is not known here, so the payload has no `jti`. */
  findSessionByUid(uid: string): Promise<StoredArtifact | undefined>
  findDeviceByUserCode(userCode: string): Promise<StoredArtifact | undefined>
  /** Inserts or replaces. What was consumed stays consumed. */
  upsert(artifact: Artifact): Promise<void>
  /** Inserts; true exactly once while the artefact lives. */
  claim(artifact: Artifact): Promise<boolean>
  /**
   * Inserts what a refresh token was rotated to, unless it is there already: then nothing changes, least of all that
   * it was consumed. False, and nothing is inserted, when the predecessor is gone: a revoked family stays dead.
   */
  succeed(successor: Artifact, predecessor: string): Promise<boolean>
  /** True exactly once, false as well for what is not there. */
  consume(kind: string, id: string, rotation?: Rotation): Promise<boolean>
  /** True when it was there. */
  destroy(kind: string, id: string): Promise<boolean>
  /** Removes everything issued from the grant, a successor being saved meanwhile included; the grant itself stays. */
  revokeByGrantId(grantId: string): Promise<void>
  /** Ends the grant with all of that. The grant goes first: without it nothing that is just being issued counts. */
  revokeGrant(grantId: string): Promise<void>
}

type Row = {
  payload: Payload
  expired: boolean
  consumedAt: number | null
  consumedAge: number | null
  consumedBy: string | null
  successor: Buffer | null
}

const COLUMNS = 'kind, id, grant_id, user_id, client_id, uid, user_code, payload, expires_at, consumed_at'
const VALUES = `$1, $2, $3, $4, $5, $6, $7, $8::json,
  now() + $9::float8 * interval '1 second', case when $10::boolean then now() end`
const REPLACE = `on conflict (kind, id) do update set
  grant_id = excluded.grant_id, user_id = excluded.user_id, client_id = excluded.client_id, uid = excluded.uid,
  user_code = excluded.user_code, payload = excluded.payload, expires_at = excluded.expires_at, revision = excluded.revision`
const SELECT = `select payload, coalesce(expires_at <= now(), false) as expired,
  extract(epoch from consumed_at)::float8 as "consumedAt",
  extract(epoch from now() - consumed_at)::float8 * 1000 as "consumedAge",
  consumed_by as "consumedBy", successor
  from artifacts`

const SQL = {
  find: `${SELECT} where kind = $1 and id = $2`,
  findSessionByUid: `${SELECT} where kind = 'Session' and uid = $1 order by revision desc limit 1`,
  findDeviceByUserCode: `${SELECT} where kind = 'DeviceCode' and user_code = $1 order by revision desc limit 1`,
  upsert: `insert into artifacts (${COLUMNS}) values (${VALUES}) ${REPLACE},
    consumed_at = coalesce(artifacts.consumed_at, excluded.consumed_at)`,
  claim: `insert into artifacts (${COLUMNS}) values (${VALUES}) ${REPLACE} where artifacts.expires_at <= now()`,
  // The lock holds a revocation back until the successor is there for it to see.
  succeed: `with predecessor as (select id from artifacts where kind = $1 and id = $11 for key share),
    saved as (insert into artifacts (${COLUMNS}) select ${VALUES} from predecessor on conflict do nothing)
    select id from predecessor`,
  consume: `update artifacts set consumed_at = now(), consumed_by = $3, successor = $4
    where kind = $1 and id = $2 and consumed_at is null`,
  destroy: 'delete from artifacts where kind = $1 and id = $2',
  // Revocations of one grant meet: each takes all its locks first, in one order, or they would wait for each other.
  revokeByGrantId: `delete from artifacts where grant_id = $1
    and id = any (array (select id from artifacts where grant_id = $1 order by kind, id for update))`,
}

/** Speaks in named prepared statements, one per promise. */
export function createArtifactStore(pool: Pick<Pool, 'query'>): ArtifactStore {
  const run = (name: keyof typeof SQL, values: unknown[]) =>
    pool.query<Row>({ name: `artifacts.${name}`, text: SQL[name], values })
  const first = async (name: keyof typeof SQL, values: unknown[]) =>
    toStored((await run(name, values)).rows[0])
  const count = async (name: keyof typeof SQL, values: unknown[]) => (await run(name, values)).rowCount ?? 0

  async function revokeByGrantId(grantId: string) {
    if (!grantId) return
    let removed: number
    // A statement does not see what was committed after it began: look again until there is nothing left.
    do removed = await count('revokeByGrantId', [columnText(grantId)])
    while (removed > 0)
  }

  return {
    async find(kind, id) {
      const stored = await first('find', [kind, rowId(kind, id)])
      return stored && { ...stored, payload: withId(kind, id, stored.payload) }
    },
    findSessionByUid: (uid) => first('findSessionByUid', [columnText(uid)]),
    findDeviceByUserCode: (userCode) => first('findDeviceByUserCode', [columnText(userCode)]),
    async upsert(artifact) {
      await run('upsert', toRow(artifact))
    },
    async claim(artifact) {
      return (await count('claim', toRow(artifact))) === 1
    },
    async succeed(successor, predecessor) {
      const values = [...toRow(successor), rowId(successor.kind, predecessor)]
      return (await count('succeed', values)) === 1
    },
    async consume(kind, id, rotation) {
      const values = [kind, rowId(kind, id), rotation?.requestedBy ?? null, rotation?.successor ?? null]
      return (await count('consume', values)) === 1
    },
    async destroy(kind, id) {
      return (await count('destroy', [kind, rowId(kind, id)])) === 1
    },
    revokeByGrantId,
    async revokeGrant(grantId) {
      await run('destroy', ['Grant', rowId('Grant', grantId)])
      await revokeByGrantId(grantId)
    },
  }
}

function toStored(row: Row | undefined): StoredArtifact | undefined {
  if (!row) return undefined
  const { payload, expired, consumedAt, consumedAge, consumedBy, successor } = row
  if (consumedAt === null || consumedAge === null) return { payload, expired }
  const rotation =
    consumedBy !== null && successor !== null ? { requestedBy: consumedBy, successor } : undefined
  return { payload, expired, consumption: { at: consumedAt, age: consumedAge, rotation } }
}

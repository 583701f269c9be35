// Remembers what the protocol engine must not forget: the only place that knows the table `artifacts`.
import type { Pool } from 'pg'
import { createBatches } from '../db/batches.ts'
import type { Part } from '../db/commit.ts'
import type { UnitOfWork } from '../db/unit-of-work.ts'
import { type Artifact, columnText, type Payload, type Row, rowId, toRow, withId } from './artifact.ts'

/** How something was used up. All times are the database's: the processes' clocks may differ. */
export type Consumption = {
  /** Seconds since 1970. */
  at: number
  /** Milliseconds ago. */
  age: number
  /** Of a rotated refresh token: the row of its one successor. */
  successor?: string
}

/** An expired artefact is still found: whether a replay or only a latecomer presents it is not for the store to say. */
export type StoredArtifact = { payload: Payload; expired: boolean; consumption?: Consumption }

/** What answers for a claim that someone else won, when the unit commits; whatever it throws is the answer. */
export type Lost = () => Promise<never>

/**
 * What is written joins the unit of work at hand and is there when that commits; the unit's own reads see it at once.
 * Outside of a unit each call commits by itself. An error of the database is never turned into an answer: it is thrown.
 */
export type ArtifactStore = {
  find(kind: string, id: string): Promise<StoredArtifact | undefined>
  /** As it was when this unit read it; undefined when it did not, found nothing, or is about to change it. */
  recall(kind: string, id: string): StoredArtifact | undefined
  /** The session last written under that uid; its id is not known here, so the payload has no `jti`. */
  findSessionByUid(uid: string): Promise<StoredArtifact | undefined>
  findDeviceByUserCode(userCode: string): Promise<StoredArtifact | undefined>
  /** Inserts or replaces. What was consumed stays consumed. */
  upsert(artifact: Artifact): Promise<void>
  /**
   * Claims what an earlier unit saved: of all units that consume it one commits, across processes, and none if it is gone; the others get what
   * `lost` throws. Units that name the same `successor` all commit: they are one request, sent more than once.
   */
  consume(kind: string, id: string, lost: Lost, successor?: string | null): Promise<void>
  destroy(kind: string, id: string): Promise<void>
  /** Destroys it, if it is there to be destroyed: of all units that end it one commits. */
  end(kind: string, id: string, lost: Lost): Promise<void>
  /** Removes what was issued from the grant; the grant itself stays. */
  revokeByGrantId(grantId: string): Promise<void>
  /** Ends the grant with all of that. What is being issued from it meanwhile does not count: the engine asks for the grant. */
  revokeGrant(grantId: string): Promise<void>
  /** Inserts at once, whatever becomes of the unit; true exactly once while the artefact lives. */
  claim(artifact: Artifact): Promise<boolean>
}

/** What the engine is going to ask for next of whom an artefact is about; whose table it is hears of it here. */
export type Companion = {
  /** A scalar subquery on `found.user_id`. */
  sql: string
  remember(value: unknown): void
}

type Found = {
  kind: string
  id: string
  payload: string
  expired: boolean
  consumedAt: number | null
  consumedAge: number | null
  successor: string | null
  grantIds: string[] | null
  companion: unknown
}
/** `id` as the row has it, `key` as the unit of work knows the row. */
type Place = { kind: string; id: string; key: string }
type Sighting = { row: Found | undefined; grants: Found[] }

const COLUMNS = `kind text, id text, grant_id text, user_id text, client_id text, uid text, user_code text,
  grant_ids text[], payload text, lifetime float8, consumed boolean`
const INSERT = `insert into artifacts as a
  (kind, id, grant_id, user_id, client_id, uid, user_code, grant_ids, payload, expires_at, consumed_at)`
const VALUES = `kind, id, grant_id, user_id, client_id, uid, user_code, grant_ids, payload::json,
  now() + lifetime * interval '1 second', case when consumed then now() end`
const REPLACE = `on conflict (id, kind) do update set
  grant_id = excluded.grant_id, user_id = excluded.user_id, client_id = excluded.client_id, uid = excluded.uid,
  user_code = excluded.user_code, grant_ids = excluded.grant_ids, payload = excluded.payload,
  expires_at = excluded.expires_at, revision = excluded.revision`
const SELECT = `kind, id, payload::text as payload, coalesce(expires_at <= now(), false) as expired,
  extract(epoch from consumed_at)::float8 as "consumedAt",
  extract(epoch from now() - consumed_at)::float8 * 1000 as "consumedAge", successor,
  case when grant_id is null then grant_ids else array[grant_id] end as "grantIds"`

/**
 * The rows of `artifacts` a part names. As a condition on this one table, so that the plan is a look into its index
 * whatever PostgreSQL thinks of the table's size; that a join matches each with its own row is beside this.
 */
const named = (part: string) =>
  `a.kind = any (array (select kind from ${part})) and a.id = any (array (select id from ${part}))
    and a.kind = ${part}.kind and a.id = ${part}.id`

const CONSUMPTIONS: Part = {
  name: 'consumptions',
  columns: 'kind text, id text, successor text',
  claim: true,
  sql: (rows) => `update artifacts a
    set consumed_at = coalesce(a.consumed_at, now()), successor = coalesce(a.successor, consumptions.successor)
    from ${rows} where ${named('consumptions')}
    and (a.consumed_at is null or a.successor = consumptions.successor) returning consumptions.unit`,
}
const ENDINGS: Part = {
  name: 'endings',
  columns: 'kind text, id text',
  claim: true,
  sql: (rows) => `delete from artifacts a using ${rows} where ${named('endings')} returning endings.unit`,
}
const REMOVALS: Part = {
  name: 'removals',
  columns: 'kind text, id text',
  sql: (rows) => `delete from artifacts a using ${rows} where ${named('removals')}`,
}
// Revocations of one grant meet each other, and refreshes: each takes all its locks first, the oldest row before those
// that were issued for it, as a unit that claims a token and saves its successor does. Or they would wait for each other.
const REVOCATIONS: Part = {
  name: 'revocations',
  columns: 'grant_id text',
  sql: (rows) => `delete from artifacts where grant_id = any (array (select grant_id from ${rows}))
    and id = any (array (select id from artifacts where grant_id = any (array (select grant_id from ${rows}))
      order by revision for update))`,
}
const SAVES: Part = {
  name: 'saves',
  columns: COLUMNS,
  sql: (rows) => `${INSERT} select ${VALUES} from ${rows} ${REPLACE},
    consumed_at = coalesce(a.consumed_at, excluded.consumed_at)`,
}

const CLAIM = {
  name: 'artifacts.claim',
  text: `${INSERT} select ${VALUES} from json_to_record($1::json) as _(${COLUMNS})
    ${REPLACE} where a.expires_at <= now() returning true as won`,
}
const FIND_SESSION = {
  name: 'artifacts.findSessionByUid',
  text: `select ${SELECT} from artifacts where kind = 'Session' and uid = $1 order by revision desc limit 1`,
}
const FIND_DEVICE = {
  name: 'artifacts.findDeviceByUserCode',
  text: `select ${SELECT} from artifacts where kind = 'DeviceCode' and user_code = $1 order by revision desc limit 1`,
}

/** All that a turn asks for, with the companion of each, and the grants the engine will ask for next. */
const find = (companion: Companion | undefined) => ({
  name: 'artifacts.find',
  text: `with found as materialized (select * from artifacts where kind = any ($1::text[]) and id = any ($2::text[]))
    select ${SELECT}, ${companion?.sql ?? 'null'} as companion from found
    union all
    select ${SELECT}, null from artifacts where kind = 'Grant' and id = any (array (
      select grant_id from found union all select unnest(grant_ids) from found))`,
})

/** The most artefacts of one statement. */
const BATCH = 100
const LANES = 2

export function createArtifactStore(pool: Pool, work: UnitOfWork, companion?: Companion): ArtifactStore {
  const statement = find(companion)
  const look = createBatches<Place, Sighting>({
    lanes: LANES,
    size: BATCH,
    send: async (places) => {
      const { rows } = await pool.query<Found>({ ...statement, values: arrays(places) })
      return toSightings(places, rows)
    },
  })

  /** What is stored, each row asked for once a unit. */
  async function findStored(place: Place): Promise<Found | undefined> {
    const { memory } = work
    const name = memoryName(place.key)
    if (memory.has(name)) return memory.get(name) as Found | undefined
    const { row, grants } = work.inTransaction
      ? toSightings([place], await work.query<Found>(statement, arrays([place])))[0]!
      : await look(place)
    memory.set(name, row)
    for (const grant of grants) memory.set(memoryName(keyOfRow(grant)), grant)
    if (row?.companion) companion?.remember(row.companion)
    return row
  }

  /** As the unit will leave it: not as stored, but as saved, removed or consumed a moment ago. */
  function overlay(key: string, found: Found | undefined): StoredArtifact | undefined {
    const saved = work.pending(SAVES, key)
    if (saved) return fromRow(JSON.parse(saved.json))
    if (!found || isLeaving(key) || isRevoked(found)) return undefined
    const stored = toStored(found)
    const consumed = work.pending(CONSUMPTIONS, key)
    return consumed && !stored.consumption ? { ...stored, consumption: justNow() } : stored
  }

  const isLeaving = (key: string) => [REMOVALS, ENDINGS].some((part) => work.pending(part, key))

  /** A session outlives the grants it names. */
  const isRevoked = ({ kind, grantIds }: Found) =>
    kind !== 'Session' && grantIds?.some((grantId) => work.pending(REVOCATIONS, grantId))

  const remove = async (part: Part, { kind, id, key }: Place, lost?: Lost) => {
    for (const other of [SAVES, CONSUMPTIONS]) work.withdraw(other, key)
    await work.write(part, key, { kind, id }, lost)
  }

  async function findOne(
    statement: { name: string; text: string },
    isIt: (row: Row) => boolean,
    value: string,
  ) {
    const saved = work.pendingOf(SAVES).map(({ json }) => JSON.parse(json) as Row)
    const pending = saved.findLast(isIt)
    if (pending) return fromRow(pending)
    const [row] = await work.query<Found>(statement, [value])
    // What is about to be saved anew is not called so any more, or it would have been found above.
    if (!row || work.pending(SAVES, keyOfRow(row))) return undefined
    return overlay(keyOfRow(row), row)
  }

  async function revokeByGrantId(grantId: string) {
    if (!grantId) return
    const name = columnText(grantId)
    for (const { json } of work.pendingOf(SAVES)) {
      const row = JSON.parse(json) as Row
      if (row.grant_id === name) await remove(REMOVALS, { ...row, key: keyOfRow(row) })
    }
    await work.write(REVOCATIONS, name, { grant_id: name })
  }

  return {
    async find(kind, id) {
      const place = placeOf(kind, id)
      const stored = overlay(place.key, await findStored(place))
      return stored && withName(kind, id, stored)
    },
    recall(kind, id) {
      const { key } = placeOf(kind, id)
      if (work.pending(SAVES, key) || isLeaving(key)) return undefined
      const found = work.memory.get(memoryName(key)) as Found | undefined
      return found && withName(kind, id, toStored(found))
    },
    findSessionByUid(uid) {
      const name = columnText(uid)
      return findOne(FIND_SESSION, (row) => row.kind === 'Session' && row.uid === name, name)
    },
    findDeviceByUserCode(userCode) {
      const name = columnText(userCode)
      return findOne(FIND_DEVICE, (row) => row.kind === 'DeviceCode' && row.user_code === name, name)
    },
    async upsert(artifact) {
      const row = toRow(artifact)
      const key = keyOfRow(row)
      for (const part of [REMOVALS, ENDINGS]) work.withdraw(part, key)
      await work.write(SAVES, key, row)
    },
    async consume(kind, id, lost, successor = null) {
      const place = placeOf(kind, id)
      await work.write(CONSUMPTIONS, place.key, { kind, id: place.id, successor }, lost)
    },
    destroy: (kind, id) => remove(REMOVALS, placeOf(kind, id)),
    end: (kind, id, lost) => remove(ENDINGS, placeOf(kind, id), lost),
    revokeByGrantId,
    async revokeGrant(grantId) {
      await remove(REMOVALS, placeOf('Grant', grantId))
      await revokeByGrantId(grantId)
    },
    async claim(artifact) {
      const { rows } = await pool.query({ ...CLAIM, values: [JSON.stringify(toRow(artifact))] })
      return rows.length === 1
    },
  }
}

const withName = (kind: string, id: string, stored: StoredArtifact): StoredArtifact => ({
  ...stored,
  payload: withId(kind, id, stored.payload),
})
const keyOfRow = ({ kind, id }: { kind: string; id: string }) => `${kind} ${id}`
const memoryName = (key: string) => `artifact ${key}`
const arrays = (places: Place[]) => [places.map(({ kind }) => kind), places.map(({ id }) => id)]

function placeOf(kind: string, id: string): Place {
  const row = { kind, id: rowId(kind, id) }
  return { ...row, key: keyOfRow(row) }
}

/** One per artefact asked for, in that order, each with the grants it names. */
function toSightings(places: Place[], rows: Found[]): Sighting[] {
  const byKey = new Map(rows.map((row) => [keyOfRow(row), row]))
  return places.map(({ key }) => {
    const row = byKey.get(key)
    return { row, grants: (row?.grantIds ?? []).flatMap((grant) => byKey.get(`Grant ${grant}`) ?? []) }
  })
}

function toStored(found: Found): StoredArtifact {
  const { expired, consumedAt, consumedAge, successor } = found
  const payload = JSON.parse(found.payload) as Payload
  if (consumedAt === null || consumedAge === null) return { payload, expired }
  const consumption = { at: consumedAt, age: consumedAge, ...(successor !== null && { successor }) }
  return { payload, expired, consumption }
}

const fromRow = ({ payload, consumed }: Row): StoredArtifact => ({
  payload: JSON.parse(payload) as Payload,
  expired: false,
  ...(consumed && { consumption: justNow() }),
})

const justNow = (): Consumption => ({ at: Math.floor(Date.now() / 1000), age: 0 })

// Remembers what the protocol engine must not forget: the only room that knows the table `artifacts`.
import type { Pool } from 'pg'
import { createBatches } from '../db/batches.ts'
import type { Part } from '../db/commit.ts'
import type { UnitOfWork } from '../db/unit-of-work.ts'
import {
  type Artifact,
  columnText,
  isOutlived,
  type Payload,
  type Row,
  rowId,
  signedBy,
  toRow,
  withId,
} from './artifact.ts'
import {
  CLAIM,
  CONSUMPTIONS,
  type CompanionOf,
  ENDINGS,
  type Found,
  finds,
  REMOVALS,
  REPETITIONS,
  REVOCATIONS,
  SAVES,
} from './statements.store.ts'

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
export type StoredArtifact = {
  payload: Payload
  expired: boolean
  consumption?: Consumption
  /** Which generation the person is of whom it is about; absent for nobody, and for what this unit is about to save. */
  generation?: number
}

/** What answers for a claim that someone else won, when the unit commits; whatever it throws is the answer. */
export type Lost = () => Promise<never>

/**
 * What is written joins the unit of work at hand and is there when that commits; the unit's own reads see it at once.
 * Sessions and grants of a person's earlier generation are not found.
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
   * Claims what an earlier unit saved: of all units that consume it one commits, across processes, and none if it is
   * gone; the others get what `lost` throws. Units that name the same `successor` all commit: they are one request,
   * sent more than once. What a unit consumes it does not save again.
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
  /** A scalar subquery on the `user_id` of a relation. */
  sql: CompanionOf
  remember(value: { generation: number }): void
  /** The generation that what this unit saves about them belongs to; null when there is no such person. */
  generationOf(userId: string): Promise<number | null>
}

/** `id` as the row has it, `key` as the unit of work knows the row. */
type Place = { kind: string; id: string; key: string }
type Sighting = { row: Found | undefined; grants: Found[] }

/** The most artefacts of one statement. */
const BATCH = 256
const LANES = 2

export function createArtifactStore(pool: Pool, work: UnitOfWork, companion?: Companion): ArtifactStore {
  const statements = finds(companion?.sql)
  const look = createBatches<Place, Sighting>({
    lanes: LANES,
    size: BATCH,
    send: async (places) => {
      const { rows } = await pool.query<Found>({ ...statements.each, values: arrays(places) })
      return toSightings(places, rows)
    },
  })

  /** What is stored, each row asked for once a unit. */
  async function findStored(place: Place): Promise<Found | undefined> {
    const { memory } = work
    const name = memoryName(place.key)
    if (memory.has(name)) return memory.get(name) as Found | undefined
    const { row, grants } = work.inTransaction
      ? toSightings([place], await work.query<Found>(statements.each, arrays([place])))[0]!
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
    if (!found || isLeaving(key) || isRevoked(found) || isOver(found)) return undefined
    const stored = toStored(found)
    const consumed = work.pending(CONSUMPTIONS, key)
    return consumed && !stored.consumption ? { ...stored, consumption: justNow() } : stored
  }

  const isLeaving = (key: string) => [REMOVALS, ENDINGS].some((part) => work.pending(part, key))

  /** A session outlives the grants it names. */
  const isRevoked = ({ kind, grantIds }: Found) =>
    kind !== 'Session' && grantIds?.some((grantId) => work.pending(REVOCATIONS, grantId))

  const isOver = ({ kind, generation, companion }: Found) =>
    companion !== null && isOutlived(kind, generation, companion.generation)

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
    if (row.companion) companion?.remember(row.companion)
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
      return found && !isOver(found) ? withName(kind, id, toStored(found)) : undefined
    },
    findSessionByUid(uid) {
      const name = columnText(uid)
      return findOne(statements.session, (row) => row.kind === 'Session' && row.uid === name, name)
    },
    findDeviceByUserCode(userCode) {
      const name = columnText(userCode)
      return findOne(statements.device, (row) => row.kind === 'DeviceCode' && row.user_code === name, name)
    },
    async upsert(artifact) {
      const person = companion && signedBy(artifact)
      const row = toRow(artifact, person ? await companion.generationOf(person) : null)
      const key = keyOfRow(row)
      for (const part of [REMOVALS, ENDINGS]) work.withdraw(part, key)
      await work.write(SAVES, key, row)
    },
    async consume(kind, id, lost, successor = null) {
      const place = placeOf(kind, id)
      const found = work.memory.get(memoryName(place.key)) as Found | undefined
      const part = found?.consumedAt ? REPETITIONS : CONSUMPTIONS
      await work.write(part, place.key, { kind, id: place.id, successor }, lost)
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
  const { expired, consumedAt, consumedAge, successor, companion } = found
  const payload = JSON.parse(found.payload) as Payload
  const stored = { payload, expired, ...(companion && { generation: companion.generation }) }
  if (consumedAt === null || consumedAge === null) return stored
  const consumption = { at: consumedAt, age: consumedAge, ...(successor !== null && { successor }) }
  return { ...stored, consumption }
}

const fromRow = ({ payload, consumed }: Row): StoredArtifact => ({
  payload: JSON.parse(payload) as Payload,
  expired: false,
  ...(consumed && { consumption: justNow() }),
})

const justNow = (): Consumption => ({ at: Math.floor(Date.now() / 1000), age: 0 })

// What `store.ts` says to the database: reads, and the parts of the statement that commits units of work (decision 011).
import type { Part } from '../db/commit.ts'

/** A row as it is found. */
export type Found = {
  kind: string
  id: string
  payload: string
  expired: boolean
  consumedAt: number | null
  consumedAge: number | null
  successor: string | null
  grantIds: string[] | null
  generation: number | null
  companion: { generation: number } | null
}
const COLUMNS = `kind text, id text, grant_id text, user_id text, client_id text, uid text, user_code text,
  grant_ids text[], generation int, payload text, lifetime float8, consumed boolean`
const INSERT = `insert into artifacts as a
  (kind, id, grant_id, user_id, client_id, uid, user_code, grant_ids, generation, payload, expires_at, consumed_at)`
const VALUES = `kind, id, grant_id, user_id, client_id, uid, user_code, grant_ids, generation, payload::json,
  now() + lifetime * interval '1 second', case when consumed then now() end`
const REPLACE = `on conflict (id, kind) do update set
  grant_id = excluded.grant_id, user_id = excluded.user_id, client_id = excluded.client_id, uid = excluded.uid,
  user_code = excluded.user_code, grant_ids = excluded.grant_ids, generation = excluded.generation,
  payload = excluded.payload, expires_at = excluded.expires_at, revision = excluded.revision`
const SELECT = `kind, id, payload::text as payload, coalesce(expires_at <= now(), false) as expired,
  extract(epoch from consumed_at)::float8 as "consumedAt",
  extract(epoch from now() - consumed_at)::float8 * 1000 as "consumedAge", successor,
  case when grant_id is null then grant_ids else array[grant_id] end as "grantIds", generation`

/**
 * The rows of `artifacts` a part names. As a condition on this one table, so that the plan is a look into its index
 * whatever PostgreSQL thinks of the table's size; that a join matches each with its own row is beside this.
 */
const named = (part: string) =>
  `a.kind = any (array (select kind from ${part})) and a.id = any (array (select id from ${part}))
    and a.kind = ${part}.kind and a.id = ${part}.id`

export const CONSUMPTIONS: Part = {
  name: 'consumptions',
  columns: 'kind text, id text, successor text',
  claim: true,
  sql: (rows) => `update artifacts a
    set consumed_at = coalesce(a.consumed_at, now()), successor = coalesce(a.successor, consumptions.successor)
    from ${rows} where ${named('consumptions')}
    and (a.consumed_at is null or a.successor = consumptions.successor) returning consumptions.unit`,
}
/**
 * Of what was consumed already: the same request once more. Its successor may be in use by now, and who claims that
 * saves the next. In company with others of their kind each could hold a row the other waits for.
 */
export const REPETITIONS: Part = { ...CONSUMPTIONS, alone: true }
export const ENDINGS: Part = {
  name: 'endings',
  columns: 'kind text, id text',
  claim: true,
  sql: (rows) => `delete from artifacts a using ${rows} where ${named('endings')} returning endings.unit`,
}
export const REMOVALS: Part = {
  name: 'removals',
  columns: 'kind text, id text',
  sql: (rows) => `delete from artifacts a using ${rows} where ${named('removals')}`,
}
// Revocations of one grant meet each other, and refreshes: each takes all its locks first, the oldest row before those
// that were issued for it, as a unit that claims a token and saves its successor does. Or they would wait for each other.
export const REVOCATIONS: Part = {
  name: 'revocations',
  alone: true,
  columns: 'grant_id text',
  sql: (rows) => `delete from artifacts where grant_id = any (array (select grant_id from ${rows}))
    and id = any (array (select id from artifacts where grant_id = any (array (select grant_id from ${rows}))
      order by revision for update))`,
}
export const SAVES: Part = {
  name: 'saves',
  columns: COLUMNS,
  sql: (rows) => `${INSERT} select ${VALUES} from ${rows} ${REPLACE},
    consumed_at = coalesce(a.consumed_at, excluded.consumed_at)`,
}

export const CLAIM = {
  name: 'artifacts.claim',
  text: `${INSERT} select ${VALUES} from json_to_record($1::json) as _(${COLUMNS})
    ${REPLACE} where a.expires_at <= now() returning true as won`,
}

/** A scalar subquery on the relation it is told: whom a row of that is about. */
export type CompanionOf = (relation: string) => string

export const finds = (companionOf: CompanionOf = () => 'null::json') => ({
  session: findOne('artifacts.findSessionByUid', `kind = 'Session' and uid = $1`, companionOf),
  device: findOne('artifacts.findDeviceByUserCode', `kind = 'DeviceCode' and user_code = $1`, companionOf),
  each: findEach(companionOf),
})

const findOne = (name: string, isIt: string, companionOf: CompanionOf) => ({
  name,
  text: `select ${SELECT}, ${companionOf('artifacts')} as companion from artifacts where ${isIt}
    order by revision desc limit 1`,
})

/** All that a turn asks for, and the grants the engine will ask for next, each with its companion. */
const findEach = (companionOf: CompanionOf) => ({
  name: 'artifacts.find',
  text: `with found as materialized (select * from artifacts where kind = any ($1::text[]) and id = any ($2::text[]))
    select ${SELECT}, ${companionOf('found')} as companion from found
    union all
    select ${SELECT}, ${companionOf('artifacts')} from artifacts where kind = 'Grant' and id = any (array (
      select grant_id from found union all select unnest(grant_ids) from found))`,
})

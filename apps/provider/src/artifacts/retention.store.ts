// Removes what has expired, slice by slice, and keeps what tells a thief from a latecomer.
import type { Connection } from '../db/database.ts'

/** Where a slice ended: the primary key of its last row. */
export type Position = { kind: string; id: string }

export type ExpiredSlice = {
  /** Where the slice before ended; null begins at the beginning. */
  after: Position | null
  /** Milliseconds that a row stays after it expired: whoever comes a little late is told so, and clocks differ. */
  margin: number
  /** Rows to look at, expired or not. */
  size: number
}

/**
 * Along the primary key, because no index knows `expires_at`: each would cost every flow. By row address (`ctid`)
 * within the statement, so that no plan depends on what the planner guesses. Rows in use are passed over, not waited for.
 *
 * Something consumed stays while anything that has not expired was issued from its grant: whoever presents it is a thief
 * or the victim of one, and has to be recognised (RFC 6749, section 4.1.2; RFC 9700, section 4.14.2). That is looked for
 * from the end, where the newest of a family stand; an index is read backwards only for a range, hence `between`.
 */
const REMOVE_EXPIRED = `
  with slice as materialized (
    select ctid, id, kind from artifacts
     where (id, kind) > ($1, $2) order by id, kind limit $3
  ), removed as (
    delete from artifacts where ctid = any (array (
      select ctid from artifacts as candidate
       where ctid = any (array (select ctid from slice))
         and expires_at < now() - $4 * interval '1 ms'
         and (consumed_at is null or grant_id is null or (
           select true from artifacts as relative
            where relative.grant_id between candidate.grant_id and candidate.grant_id
              and (relative.expires_at is null or relative.expires_at >= now() - $4 * interval '1 ms')
            order by relative.grant_id desc limit 1) is null)
         for update skip locked))
    returning 1
  )
  select id, kind, (select count(*)::int from removed) as removed from slice order by id desc, kind desc limit 1`

/** `next` is where the following slice begins; `more` is false, and `next` null, when the end was reached. */
export async function removeExpired(connection: Connection, { after, margin, size }: ExpiredSlice) {
  const { rows } = await connection.query<Position & { removed: number }>({
    name: 'artifacts.removeExpired',
    text: REMOVE_EXPIRED,
    values: [after?.id ?? '', after?.kind ?? '', size, margin],
  })
  const [last] = rows
  return {
    changed: last?.removed ?? 0,
    next: last ? { kind: last.kind, id: last.id } : null,
    more: last !== undefined,
  }
}

// Removes counters whose time is over, slice by slice.
import type { Connection } from '../db/database.ts'

export type SpentSlice = {
  /** The key with which the slice before ended; null begins at the beginning. */
  after: string | null
  /** Milliseconds that a counter stays after its time. */
  margin: number
  /** Rows to look at, over or not. */
  size: number
}

/** Along the primary key; rows in use are passed over, not waited for. */
const REMOVE_SPENT = `
  with slice as materialized (
    select ctid, key from rate_limits where key > $1 order by key limit $2
  ), removed as (
    delete from rate_limits where ctid = any (array (
      select ctid from rate_limits
       where ctid = any (array (select ctid from slice))
         and expire < extract(epoch from now()) * 1000 - $3::float8
         for update skip locked))
    returning 1
  )
  select key, (select count(*)::int from removed) as removed from slice order by key desc limit 1`

/** `next` is where the following slice begins; `more` is false, and `next` null, when the end was reached. */
export async function removeSpent(connection: Connection, { after, margin, size }: SpentSlice) {
  const { rows } = await connection.query<{ key: string; removed: number }>({
    name: 'limits.removeSpent',
    text: REMOVE_SPENT,
    values: [after ?? '', size, margin],
  })
  const [last] = rows
  return { changed: last?.removed ?? 0, next: last?.key ?? null, more: last !== undefined }
}

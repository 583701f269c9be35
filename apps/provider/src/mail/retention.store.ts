// Removes letters, sent or not, whose time is over, slice by slice.
import type { Connection } from '../db/database.ts'

export type OldLetters = {
  /** The id with which the slice before ended; null begins at the beginning. */
  after: string | null
  /** Milliseconds that a letter stays after it was written. */
  keep: number
  /** Rows to look at. */
  size: number
}

/** Along the primary key: ids sort by age, so the slice that holds a younger letter is the last. Rows in use are passed over. */
const REMOVE_OLD = `
  with slice as materialized (
    select id, created_at from letters where id > $1 order by id limit $2
  ), removed as (
    delete from letters where id = any (array (
      select id from letters
       where id = any (array (select id from slice)) and created_at < now() - $3 * interval '1 ms'
         for update skip locked))
    returning 1
  )
  select id, created_at < now() - $3 * interval '1 ms' as old, (select count(*)::int from removed) as removed
    from slice order by id desc limit 1`

/** `next` is where the following slice begins; `more` is false, and `next` null, when younger letters were reached. */
export async function removeOldLetters(connection: Connection, { after, keep, size }: OldLetters) {
  const { rows } = await connection.query<{ id: string; old: boolean; removed: number }>({
    name: 'letters.removeOld',
    text: REMOVE_OLD,
    values: [after ?? '', size, keep],
  })
  const [last] = rows
  const more = last?.old ?? false
  return { changed: last?.removed ?? 0, next: more ? last!.id : null, more }
}

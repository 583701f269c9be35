// Ends accounts whose address nobody confirmed, challenges that are over, and the trust in devices that were trusted long ago.
import type { Connection } from '../db/database.ts'

/** Along the partial index of those; what was attached goes with the account. */
const REMOVE_UNCONFIRMED = `
  delete from users where id = any (array (
    select id from users where email_verified_at is null and created_at < now() - $1 * interval '1 ms'
     order by created_at limit $2)) and email_verified_at is null and disabled_at is null`

/** Accounts older than `keep` milliseconds whose address was never confirmed, at most `size` of them. */
export async function removeUnconfirmed(
  connection: Connection,
  { keep, size }: { keep: number; size: number },
) {
  const { rowCount } = await connection.query({
    name: 'users.removeUnconfirmed',
    text: REMOVE_UNCONFIRMED,
    values: [keep, size],
  })
  const changed = rowCount ?? 0
  return { changed, next: null, more: changed === size }
}

/** Along the primary key; rows in use are passed over, not waited for. */
const REMOVE_OVER = `
  with slice as materialized (
    select ctid, id from challenges where id > $1 order by id limit $2
  ), removed as (
    delete from challenges where ctid = any (array (
      select ctid from challenges
       where ctid = any (array (select ctid from slice)) and expires_at < now() - $3 * interval '1 ms'
         for update skip locked))
    returning 1
  )
  select id, (select count(*)::int from removed) as removed from slice order by id desc limit 1`

export type OverSlice = { after: string | null; margin: number; size: number }

/** `margin`: milliseconds that a challenge stays after its time. `next` is where the following slice begins. */
export const removeOver = (connection: Connection, { after, margin, size }: OverSlice) =>
  removeSlice(connection, {
    name: 'users.removeOver',
    text: REMOVE_OVER,
    values: [after ?? '', size, margin],
  })

/** Along the index of identifiers, each of which names one device; rows in use are passed over, not waited for. */
const REMOVE_TRUST = `
  with slice as materialized (
    select ctid, identifier from credentials
     where type = 'trusted-device' and identifier > $1 order by identifier limit $2
  ), removed as (
    delete from credentials where ctid = any (array (
      select ctid from credentials
       where ctid = any (array (select ctid from slice)) and type = 'trusted-device'
         and created_at <= now() - $3 * interval '1 ms'
         for update skip locked))
    returning 1
  )
  select identifier as id, (select count(*)::int from removed) as removed from slice order by identifier desc limit 1`

export type TrustSlice = { after: string | null; keep: number; size: number }

/** Devices that were trusted more than `keep` milliseconds ago; all of them where that is 0. */
export const removeTrust = (connection: Connection, { after, keep, size }: TrustSlice) =>
  removeSlice(connection, {
    name: 'users.removeTrust',
    text: REMOVE_TRUST,
    values: [after ?? '', size, keep],
  })

/** What a statement above removed of its slice, and where the slice ended. */
async function removeSlice(
  connection: Connection,
  statement: { name: string; text: string; values: unknown[] },
) {
  const { rows } = await connection.query<{ id: string; removed: number }>(statement)
  const [last] = rows
  return { changed: last?.removed ?? 0, next: last?.id ?? null, more: last !== undefined }
}

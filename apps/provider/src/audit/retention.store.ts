// Ends what the audit log keeps: first the whole address, then the event.
import type { Connection } from '../db/database.ts'
import { wideNetworkOf } from '../lib/networks.ts'

const REMOVE_OLD = `
  delete from audit_events where id = any (array (
    select id from audit_events where at < now() - $1 * interval '1 ms' order by at limit $2))`

/** Events older than `keep` milliseconds, at most `size` of them, the oldest first. */
export async function removeOld(connection: Connection, { keep, size }: { keep: number; size: number }) {
  const { rowCount } = await connection.query({
    name: 'audit.removeOld',
    text: REMOVE_OLD,
    values: [keep, size],
  })
  const changed = rowCount ?? 0
  return { changed, next: null, more: changed === size }
}

/** An event's place in the log. */
export type Place = { at: Date; id: string }

export type AddressSlice = {
  /** Up to where addresses were shortened before: nothing is ever written into the past. Null: nowhere yet. */
  after: Place | null
  /** Milliseconds that a whole address is kept. */
  keep: number
  size: number
}

const READ_OLD = `
  select at, id, ip from audit_events
   where at >= $1 and (at, id) > ($1, $2) and at < now() - $3 * interval '1 ms' order by at, id limit $4`
const SHORTEN = `
  update audit_events set ip = short.ip from unnest($1::text[], $2::text[]) as short (id, ip)
   where audit_events.id = short.id`

/** The next events in order of time lose the host part of their address. `changed` counts those that had one. */
export async function shortenAddresses(connection: Connection, { after, keep, size }: AddressSlice) {
  const { rows } = await connection.query<Place & { ip: string | null }>({
    name: 'audit.readOld',
    text: READ_OLD,
    values: [after?.at ?? new Date(0), after?.id ?? '', keep, size],
  })
  const whole = rows.filter(({ ip }) => ip !== null && ip !== wideNetworkOf(ip))
  if (whole.length) {
    const values = [whole.map(({ id }) => id), whole.map(({ ip }) => wideNetworkOf(ip!))]
    await connection.query({ name: 'audit.shorten', text: SHORTEN, values })
  }
  const last = rows.at(-1)
  return {
    changed: whole.length,
    next: last ? { at: last.at, id: last.id } : after,
    more: rows.length === size,
  }
}

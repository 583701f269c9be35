// What an operator would look at on a process after a bad hour.
import { readdirSync, readFileSync } from 'node:fs'
import { Client } from 'pg'

export type Vitals = { openFiles: number; residentMegabytes: number }

/** Null where the system does not tell (only Linux has /proc). */
export function vitalsOf(pid: number): Vitals | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
    return {
      openFiles: readdirSync(`/proc/${pid}/fd`).length,
      residentMegabytes: Math.round(kilobytes / 1024),
    }
  } catch {
    return null
  }
}

/** One statement, on a connection of its own. */
export async function ask<Row>(url: string, text: string): Promise<Row[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows as Row[]
  } finally {
    await client.end()
  }
}

/** Connections of ours that this PostgreSQL holds. */
export async function countConnections(url: string): Promise<number> {
  const [row] = await ask<{ count: number }>(
    url,
    `select count(*)::int as count from pg_stat_activity where application_name like 'anteroom%'`,
  )
  return row!.count
}

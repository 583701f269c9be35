// How units of work become one statement: many units, one round trip, one commit, and no unit pays for another.
import type { Pool, PoolClient } from 'pg'
import { digest } from '../lib/digest.ts'
import { createBatches } from './batches.ts'
import type { Prisma } from './generated/client.ts'

/**
 * One kind of write, as a room defines it. Its rows arrive as a relation that bears the part's name, with `unit` and
 * the `columns`; a row is what `JSON.stringify` made of an object with these names.
 */
export type Part = {
  name: string
  /** Column definitions, in the words of `json_to_recordset`. */
  columns: string
  /** The statement; `rows` is the relation to read. A claim's returns the `unit` of each row it could claim. */
  sql(rows: string): string
  /** A unit that does not get what it claims writes nothing at all. */
  claim?: true
  /** A unit with such a row travels alone: it may have to wait for a row, and nobody should have to wait with it. */
  alone?: true
}

/** One row to be written. `lost` answers for a claim that another request won. */
export type Entry = { part: Part; key: string; json: string; lost?: (() => Promise<never>) | undefined }

export type CommitOptions = {
  /** Batches under way at once. */
  lanes: number
  /** The most units of one batch. */
  size: number
  /** Milliseconds. Many wait with whoever waits for a locked row, so it is far shorter than the connection's. */
  lockWait: number
}

/** The claim was not to be had: someone else was first, or it is not there any more. Nothing of the unit was written. */
export class LostClaim extends Error {
  override name = 'LostClaim'
  readonly entry: Entry
  constructor(entry: Entry) {
    super(`lost: ${entry.part.name}`)
    this.entry = entry
  }
}

type Query = (statement: { name: string; text: string }, values: string[]) => Promise<{ unit: number }[]>
type Unit = Entry[]

const DEFAULTS: CommitOptions = { lanes: 2, size: 64, lockWait: 250 }

export function createCommit(pool: Pool, options?: Partial<CommitOptions>) {
  const { lanes, size, lockWait } = { ...DEFAULTS, ...options }
  const statements = new Map<string, { name: string; text: string }>()
  const together = createBatches<Unit, LostClaim | Error | undefined>({
    send: sendTogether,
    lanes,
    size,
    // Each row has one owner per batch: of two that claim it in one statement both would win.
    keysOf: (unit) => unit.map(({ key }) => key),
  })
  const alone = createBatches<Unit, LostClaim | Error | undefined>({ send: sendTogether, lanes, size: 1 })

  const onPool: Query = async (statement, values) => (await pool.query({ ...statement, values })).rows

  /** What became of each unit. A batch that was refused is tried unit by unit: only whoever is to blame fails. */
  async function sendTogether(units: Unit[]) {
    try {
      return await send(onPool, units)
    } catch (error) {
      if (!isRefusal(error)) throw error
      return Promise.all(units.map((unit) => sendAlone(unit)))
    }
  }

  async function sendAlone(unit: Unit): Promise<LostClaim | Error | undefined> {
    try {
      return (await insist(() => send(onPool, [unit])))[0]
    } catch (error) {
      return error as Error
    }
  }

  async function send(query: Query, units: Unit[]): Promise<(LostClaim | undefined)[]> {
    const { parts, values } = gather(units)
    const lost = new Set((await query(statementFor(parts), values)).map(({ unit }) => unit))
    return units.map((unit, number) => (lost.has(number) ? new LostClaim(claimOf(unit)) : undefined))
  }

  function statementFor(parts: Part[]) {
    const names = parts.map((part) => part.name).join('.')
    const known = statements.get(names) ?? { name: `commit.${fit(names)}`, text: compose(parts, lockWait) }
    statements.set(names, known)
    return known
  }

  /** Several claims stand or fall together, which one statement cannot promise. */
  async function sendInTransaction(unit: Unit): Promise<void> {
    const client = await pool.connect()
    try {
      await client.query('begin')
      await sendClaims(onClient(client), unit)
      await client.query('commit')
    } catch (error) {
      await client.query('rollback').catch(() => undefined)
      throw error
    } finally {
      client.release()
    }
  }

  const onClient =
    (client: PoolClient): Query =>
    async (statement, values) =>
      (await client.query({ ...statement, values })).rows

  /** One claim after the other, in the global order, the rest with the last of them. */
  async function sendClaims(query: Query, unit: Unit): Promise<void> {
    const claims = unit.filter(({ part }) => part.claim).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
    const others = unit.filter(({ part }) => !part.claim)
    const last = claims.pop()
    for (const claim of claims) await sendOrThrow(query, [claim])
    await sendOrThrow(query, last ? [last, ...others] : others)
  }

  async function sendOrThrow(query: Query, unit: Unit): Promise<void> {
    const [failure] = await send(query, [unit])
    if (failure) throw failure
  }

  return {
    /** With whoever else commits at this moment. */
    async shared(unit: Unit): Promise<void> {
      if (unit.filter(({ part }) => part.claim).length > 1) return insist(() => sendInTransaction(unit))
      const failure = await (unit.some(({ part }) => part.alone) ? alone : together)(unit)
      if (failure) throw failure
    },
    /** As the last act of a transaction. */
    within: (client: Prisma.TransactionClient, unit: Unit): Promise<void> =>
      sendClaims(({ text }, values) => client.$queryRawUnsafe(text, ...values), unit),
  }
}

/** Of those that wait for each other PostgreSQL sends one back, nothing of it written: it goes once more. */
async function insist<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = INSISTENCE; ; left--) {
    try {
      return await attempt()
    } catch (error) {
      if (left === 0 || !isDeadlock(error)) throw error
    }
  }
}

const INSISTENCE = 5

/** PostgreSQL tells the names of statements apart by their first 63 characters. */
const fit = (names: string) => (names.length > 50 ? digest(names) : names)
const nameOf = ({ part, key }: Entry) => `${part.name} ${key}`
const claimOf = (unit: Unit): Entry => unit.find(({ part }) => part.claim)!

/** The parts that have anything to write, claims first, and their rows in one global order: who locks alike never meets halfway. */
function gather(units: Unit[]): { parts: Part[]; values: string[] } {
  const rows = new Map<Part, { key: string; json: string }[]>()
  for (const [number, unit] of units.entries()) {
    for (const { part, key, json } of unit) {
      const row = { key, json: `{"unit":${number},${json.slice(1)}` }
      const known = rows.get(part)
      if (known) known.push(row)
      else rows.set(part, [row])
    }
  }
  const parts = [...rows.keys()].sort(byRank)
  const values = parts.map((part) => {
    const sorted = rows.get(part)!.sort((a, b) => (a.key < b.key ? -1 : 1))
    return `[${sorted.map(({ json }) => json).join(',')}]`
  })
  return { parts, values }
}

const byRank = (a: Part, b: Part) =>
  Number(b.claim ?? false) - Number(a.claim ?? false) || (a.name < b.name ? -1 : 1)

/** The statement for these parts: their rows, then what they do with them; its result is the units that lost a claim. */
function compose(parts: Part[], lockWait: number): string {
  const claims = parts.filter((part) => part.claim)
  const patience = `patience as materialized (select set_config('lock_timeout', '${lockWait}ms', true))`
  const relations = parts.map(
    ({ name, columns }, index) =>
      `${name} as (select _.* from patience, json_to_recordset($${index + 1}::json) as _(unit int, ${columns}))`,
  )
  const claimed = claims.map((part) => `${part.name}_done as (${part.sql(part.name)})`)
  const losses = claims.map(
    ({ name }) => `select unit from ${name} where unit not in (select unit from ${name}_done)`,
  )
  const lost = `lost as (${losses.join(' union all ') || 'select 0 as unit where false'})`
  const kept = (name: string) =>
    `(select * from ${name} where unit not in (select unit from lost)) as ${name}`
  const writes = parts
    .filter((part) => !part.claim)
    .map((part) => `${part.name}_done as (${part.sql(claims.length ? kept(part.name) : part.name)})`)
  return `with ${[patience, ...relations, ...claimed, lost, ...writes].join(',\n')}\nselect unit from lost`
}

/**
 * Rolled back for certain, and worth another try: bad data, a broken constraint, a deadlock (SQLSTATE classes 21, 22,
 * 23, 40), a row that somebody holds (55P03). After any other error the batch may have been committed, and its claims
 * would look lost to itself.
 */
const isRefusal = (error: unknown) => /^(21|22|23|40|55P03)/.test(codeOf(error))
const isDeadlock = (error: unknown) => codeOf(error).startsWith('40')
const codeOf = (error: unknown) => String((error as { code?: unknown } | null)?.code)

// One request's reads and writes: written together before the answer leaves, or not at all.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Pool } from 'pg'
import { createBatches } from './batches.ts'
import { type CommitOptions, createCommit, type Entry, LostClaim, type Part } from './commit.ts'
import type { Prisma, PrismaClient } from './generated/client.ts'

export type Client = PrismaClient | Prisma.TransactionClient

/** What one request has asked to be written, and what it has read already. */
export type Unit = {
  /** By part and key: what is written again replaces what was to be written before. */
  entries: Map<string, Entry>
  /** Writes through Prisma, in order. */
  later: ((client: Client) => Promise<unknown>)[]
  /** What a room has read in this unit and need not read again, by a name of its own. */
  memory: Map<string, unknown>
  /** What was so when a room first looked, by a name of its own. */
  seen: Map<string, unknown>
  /** Inside `transaction`. */
  client?: Prisma.TransactionClient
  /** What a request started and nobody waits for (a timer) still runs in its unit: too late to be part of it. */
  isOver?: true
}

/** What stores of people, keys and consents need: which client to talk to. They commit together without knowing of each other. */
export type Scope = {
  /** Inside `transaction` the transaction's own, elsewhere the plain one: what it writes is there at once. */
  readonly client: Client
  /**
   * All that `work` writes, and what the unit had to write before, is there afterwards, or none of it. For what must be
   * read and written in one piece. Nested calls join the outer one. It holds a connection: nothing slow belongs in it.
   */
  transaction<T>(work: () => Promise<T>): Promise<T>
  /** A write whose result nobody waits for: done with the unit, or at once outside of one. */
  later(write: (client: Client) => Promise<unknown>): Promise<void>
  /** Of the unit at hand; an empty map outside of one. */
  readonly memory: Map<string, unknown>
  /** Of the unit at hand, like `memory`; but what has been seen stays so, whatever changes meanwhile or in a transaction. */
  readonly seen: Map<string, unknown>
  /** Here rows change: what the unit remembers of them may be old. */
  readonly inTransaction: boolean
}

export type UnitOfWork = Scope & {
  /**
   * Runs `work` as one unit and commits it. What is thrown, or not to be kept, leaves no trace.
   * @throws what `lost` of a lost claim throws; errors of the database
   */
  run<T>(work: () => Promise<T>, keep?: () => boolean): Promise<T>
  /** Adds to the unit at hand; outside of one it is committed at once. */
  write(part: Part, key: string, row: object, lost?: () => Promise<never>): Promise<void>
  /** What the unit at hand is about to write there. */
  pending(part: Part, key: string): Entry | undefined
  pendingOf(part: Part): Entry[]
  /** Takes back what was about to be written. */
  withdraw(part: Part, key: string): void
  /** A named prepared statement: on the transaction's connection inside `transaction`, else on any. */
  query<Row>(statement: { name: string; text: string }, values: unknown[]): Promise<Row[]>
}

/** Transactions under way at once. Each holds a connection, also while it waits for a row; the others' are for statements. */
const TRANSACTIONS = 4

const newUnit = (): Unit => ({ entries: new Map(), later: [], memory: new Map(), seen: new Map() })
const nameOf = (part: Part, key: string) => `${part.name} ${key}`

export function createUnitOfWork(
  { prisma, pool }: { prisma: PrismaClient; pool: Pool },
  options?: Partial<CommitOptions>,
): UnitOfWork {
  const current = new AsyncLocalStorage<Unit>()
  const commit = createCommit(pool, options)
  const atHand = () => {
    const unit = current.getStore()
    return unit?.isOver ? undefined : unit
  }
  const inLine = createBatches<() => Promise<unknown>, unknown>({
    lanes: TRANSACTIONS,
    size: 1,
    send: (works) => Promise.all(works.map((work) => work())),
  })

  /** Its turn may come in another request's time: what belongs to this one is bound to it. */
  const begin = <T>(work: (client: Prisma.TransactionClient) => Promise<T>) =>
    inLine(AsyncLocalStorage.bind(() => prisma.$transaction(work))) as Promise<T>

  async function run<T>(work: () => Promise<T>, keep = () => true): Promise<T> {
    if (atHand()) return work()
    const unit = newUnit()
    try {
      const result = await current.run(unit, work)
      unit.isOver = true
      if (keep()) await settle(unit)
      return result
    } finally {
      unit.isOver = true
    }
  }

  async function settle(unit: Unit): Promise<void> {
    try {
      if (unit.later.length) await begin((client) => finish({ ...unit, client }, client))
      else if (unit.entries.size) await commit.shared([...unit.entries.values()])
    } catch (error) {
      await answerLoss(error)
    }
  }

  async function finish({ later, entries }: Unit, client: Prisma.TransactionClient): Promise<void> {
    for (const write of later) await write(client)
    if (entries.size) await commit.within(client, [...entries.values()])
  }

  async function transaction<T>(work: () => Promise<T>): Promise<T> {
    const outer = atHand()
    if (outer?.client) return work()
    const unit = outer ?? newUnit()
    try {
      return await begin(async (client) => {
        const inside: Unit = { ...unit, client }
        try {
          const result = await current.run(inside, work)
          await finish(inside, client)
          return result
        } finally {
          inside.isOver = true
        }
      })
    } catch (error) {
      return await current.exit(() => answerLoss(error))
    } finally {
      unit.entries.clear()
      unit.later.length = 0
      unit.memory.clear()
    }
  }

  return {
    run,
    transaction,
    get client() {
      return atHand()?.client ?? prisma
    },
    get memory() {
      return atHand()?.memory ?? new Map()
    },
    get seen() {
      return atHand()?.seen ?? new Map()
    },
    get inTransaction() {
      return atHand()?.client !== undefined
    },
    async later(write) {
      const unit = atHand()
      if (!unit) await write(prisma)
      else if (unit.client) await write(unit.client)
      else unit.later.push(write)
    },
    async write(part, key, row, lost) {
      const entry: Entry = { part, key, json: JSON.stringify(row), lost }
      const unit = atHand() ?? newUnit()
      unit.entries.set(nameOf(part, key), entry)
      if (!atHand()) await settle(unit)
    },
    pending: (part, key) => atHand()?.entries.get(nameOf(part, key)),
    pendingOf: (part) => [...(atHand()?.entries.values() ?? [])].filter((entry) => entry.part === part),
    withdraw: (part, key) => void atHand()?.entries.delete(nameOf(part, key)),
    query: async <Row>(statement: { name: string; text: string }, values: unknown[]) => {
      const client = atHand()?.client
      if (client) return client.$queryRawUnsafe<Row[]>(statement.text, ...values)
      return (await pool.query({ ...statement, values })).rows as Row[]
    },
  }
}

/** A claim that another request won is answered by whoever made it, outside of the unit that is gone. */
async function answerLoss(error: unknown): Promise<never> {
  if (error instanceof LostClaim && error.entry.lost) return error.entry.lost()
  throw error
}

/** Was the row refused because another one already holds the unique value? Prisma's P2002. */
export const isDuplicate = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 'P2002'

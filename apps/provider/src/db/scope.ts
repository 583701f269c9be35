import { AsyncLocalStorage } from 'node:async_hooks'
import type { Prisma, PrismaClient } from './generated/client.ts'

type Client = PrismaClient | Prisma.TransactionClient

/**
 * Which client a store talks to: inside `transaction` the transaction's own, elsewhere the plain one.
 * Stores of several rooms commit together without knowing of each other.
 */
export type Scope = {
  readonly client: Client
  /** All that `work` writes is there afterwards, or none of it. Nested calls join the outer transaction. */
  transaction<T>(work: () => Promise<T>): Promise<T>
}

export function createScope(prisma: PrismaClient): Scope {
  const current = new AsyncLocalStorage<Client>()
  return {
    get client() {
      return current.getStore() ?? prisma
    },
    transaction(work) {
      if (current.getStore()) return work()
      return prisma.$transaction((tx) => current.run(tx, work))
    },
  }
}

/** Was the row refused because another one already holds the unique value? Prisma's P2002. */
export const isDuplicate = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 'P2002'

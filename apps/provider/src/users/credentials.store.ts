// Credentials that are good once: codes of a time step, codes of a list. What decides is the row, not who read it before.
import type { Scope } from '../db/unit-of-work.ts'
import type { Clock } from '../lib/clock.ts'
import { createId } from '../lib/ids.ts'
import type { Credential } from './user.ts'

export type CountedCredential = Credential & { counter: number }

/** A credential not yet anybody's, under an id that `nameCredential` gave. */
export type NewCounted = Pick<CountedCredential, 'id' | 'data' | 'counter'> & {
  data: Record<string, string>
  /** Nobody else's credential of this type has the same. */
  identifier?: string
}

export type CredentialStore = {
  /** For what must know its row before there is one: a sealed secret is bound to it. */
  nameCredential(): string
  findCounted(userId: string, type: string): Promise<CountedCredential | null>
  countCredentials(userId: string, type: string): Promise<number>
  hasCredential(userId: string, type: string, identifier: string): Promise<boolean>
  /** All of one type: in the place of those the person had, also where several ask at the same time. */
  replaceCredentials(userId: string, type: string, credentials: NewCounted[]): Promise<void>
  /** True exactly once for each value, and never for one below: what has been used stays used. */
  advanceCounter(id: string, counter: number): Promise<boolean>
  /** True exactly once; the credential is gone. */
  spendCredential(userId: string, type: string, identifier: string): Promise<boolean>
  /** False when there was none. */
  removeCredentials(userId: string, type: string): Promise<boolean>
}

export function createCredentialStore(scope: Scope, now: Clock): CredentialStore {
  const countOf = async (removal: Promise<{ count: number }>) => (await removal).count
  const rows = () => scope.client.credential

  return {
    nameCredential: () => createId('crd', now()),
    async findCounted(userId, type) {
      const row = await rows().findFirst({ where: { userId, type }, orderBy: { id: 'desc' } })
      return row && { ...row, counter: Number(row.counter) }
    },
    countCredentials: (userId, type) => rows().count({ where: { userId, type } }),
    hasCredential: async (userId, type, identifier) =>
      (await rows().count({ where: { userId, type, identifier } })) === 1,
    async replaceCredentials(userId, type, credentials) {
      await scope.transaction(async () => {
        await scope.client.$queryRawUnsafe(HOLD_PERSON, userId)
        await rows().deleteMany({ where: { userId, type } })
        await rows().createMany({ data: credentials.map((one) => ({ ...one, userId, type })) })
      })
    },
    advanceCounter: async (id, counter) => (await scope.client.$executeRawUnsafe(ADVANCE, id, counter)) === 1,
    spendCredential: async (userId, type, identifier) =>
      (await countOf(rows().deleteMany({ where: { userId, type, identifier } }))) === 1,
    removeCredentials: async (userId, type) =>
      (await countOf(rows().deleteMany({ where: { userId, type } }))) > 0,
  }
}

/** Two who replace wait for each other: neither sees the rows of the other, and both would stay. */
const HOLD_PERSON = 'select id from users where id = $1 for no key update'

const ADVANCE = 'update credentials set counter = $2, updated_at = now() where id = $1 and counter < $2'

// People and the ways they can prove who they are.
import { isDuplicate, type Scope } from '../db/unit-of-work.ts'
import { Problem } from '../http/problem.ts'
import type { Clock } from '../lib/clock.ts'
import type { Email } from '../lib/email.ts'
import { createId } from '../lib/ids.ts'
import type { Credential, NewCredential, User } from './user.ts'

export type UserStore = {
  /** A live account; disabled ones are as good as absent. */
  findUser(id: string): Promise<User | null>
  /** By the canonical form of the address. */
  findUserByEmail(canonical: string): Promise<User | null>
  listCredentials(userId: string, type: string): Promise<Credential[]>
  /** Each type once. */
  listCredentialTypes(userId: string): Promise<string[]>
  /** @throws AddressTaken, also when two sign-ups meet in the same moment; it ends the transaction */
  createUser(person: NewPerson): Promise<User>
  renameUser(id: string, name: string | null): Promise<void>
  /** Nothing, where another one has taken its place meanwhile. */
  updateCredential(id: string, data: NewCredential['data']): Promise<void>
  /** The one credential of its type: makes it, or puts it in the place of the one that was. */
  replaceCredential(userId: string, credential: NewCredential): Promise<void>
  removeCredentials(userId: string, type: string): Promise<void>
  /**
   * Ends all that stands for the person as they were: to be called in the transaction that changes a credential. What
   * is saved later in that transaction stands for them as they are now.
   * @throws ChangedMeanwhile when another change came between what this unit saw first and this one
   */
  advanceGeneration(userId: string): Promise<number>
  /** Whom an artefact is about is read along with it: `findUser` need not ask again in the same unit. */
  companion: Companion
}

export type NewPerson = {
  email: Email
  name: string | null
  /** Null for a person who comes in by the mailbox alone. */
  credential: NewCredential | null
  /** Was the mailbox proved to be theirs? */
  confirmed: boolean
}

/** The address already has an account. */
export class AddressTaken extends Error {
  override name = 'AddressTaken'
}

/** As `artifacts/` asks for it: a scalar subquery on the `user_id` of a relation, and who hears of its value. */
type Companion = {
  sql(relation: string): string
  remember(value: { generation: number }): void
  /** Which one of the person's generations this unit speaks for; null when there is no such person. */
  generationOf(userId: string): Promise<number | null>
}

/** The request was begun by whoever was signed in before somebody else's change: nothing of it may be written. */
export class ChangedMeanwhile extends Problem {
  constructor() {
    super(
      409,
      'Your account was changed a moment ago.',
      'Sign in again and see whether all is as you want it.',
    )
  }
}

export type Row = {
  id: string
  email: string
  emailVerifiedAt: Date | string | null
  name: string | null
  disabledAt: Date | string | null
  generation: number
  recoveryGeneration: number | null
}

const companionOf = (relation: string) =>
  `(select json_build_object('id', users.id, 'email', email, 'emailVerifiedAt', email_verified_at, 'name', name,
    'disabledAt', disabled_at, 'generation', users.generation, 'recoveryGeneration', recovery_generation)
    from users where users.id = ${relation}.user_id)`
const memoryName = (id: string) => `user ${id}`
const generationName = (id: string) => `generation ${id}`

export function createUserStore(scope: Scope, now: Clock): UserStore {
  /** The first look counts: what the unit saves later was begun by whoever was signed in then (decision 014). */
  function look(row: Row | null): User | null {
    const { seen } = scope
    if (row && !seen.has(generationName(row.id))) seen.set(generationName(row.id), row.generation)
    return toUser(row)
  }
  const knownGeneration = (id: string) =>
    [scope.memory, scope.seen]
      .map((map) => map.get(generationName(id)) as number | undefined)
      .find((n) => n !== undefined)

  return {
    async findUser(id) {
      const known = scope.inTransaction ? undefined : scope.memory.get(memoryName(id))
      if (known) return toUser(known as Row)
      return look(await scope.client.user.findUnique({ where: { id } }))
    },
    async findUserByEmail(canonical) {
      return look(await scope.client.user.findUnique({ where: { emailCanonical: canonical } }))
    },
    listCredentials(userId, type) {
      return scope.client.credential.findMany({ where: { userId, type }, orderBy: { id: 'asc' } })
    },
    async listCredentialTypes(userId) {
      const rows = await scope.client.credential.findMany({
        where: { userId },
        select: { type: true },
        distinct: ['type'],
      })
      return rows.map(({ type }) => type)
    },
    async createUser({ email, name, credential, confirmed }) {
      const data = {
        id: createId('usr', now()),
        email: email.address,
        emailCanonical: email.canonical,
        emailVerifiedAt: confirmed ? now() : null,
        name,
        ...(credential && { credentials: { create: { id: createId('crd', now()), ...credential } } }),
      }
      try {
        return look(await scope.client.user.create({ data }))!
      } catch (error) {
        throw isDuplicate(error) ? new AddressTaken() : error
      }
    },
    async renameUser(id, name) {
      await scope.client.user.update({ where: { id }, data: { name } })
      scope.memory.delete(memoryName(id))
    },
    async replaceCredential(userId, { type, ...rest }) {
      await scope.transaction(async () => {
        await scope.client.credential.deleteMany({ where: { userId, type } })
        await scope.client.credential.create({ data: { id: createId('crd', now()), userId, type, ...rest } })
      })
    },
    async removeCredentials(userId, type) {
      await scope.client.credential.deleteMany({ where: { userId, type } })
    },
    async updateCredential(id, data) {
      await scope.later((client) => client.credential.updateMany({ where: { id }, data: { data } }))
    },
    async advanceGeneration(userId) {
      if (!scope.inTransaction) throw new Error('a generation advances with what changed, in one transaction')
      const known = knownGeneration(userId)
      const [row] = await scope.client.user.updateManyAndReturn({
        where: { id: userId, ...(known !== undefined && { generation: known }) },
        data: { generation: { increment: 1 } },
        select: { generation: true },
      })
      if (!row) throw new ChangedMeanwhile()
      scope.memory.set(generationName(userId), row.generation)
      return row.generation
    },
    companion: {
      sql: companionOf,
      remember(value) {
        const row = value as Row
        scope.memory.set(memoryName(row.id), row)
        look(row)
      },
      async generationOf(userId) {
        const known = knownGeneration(userId)
        if (known !== undefined) return known
        const row = await scope.client.user.findUnique({ where: { id: userId } })
        look(row)
        return row?.generation ?? null
      },
    },
  }
}

/** Null for a disabled account. */
export function toUser(row: Row | null): User | null {
  if (!row || row.disabledAt) return null
  const { id, email, emailVerifiedAt, name, generation, recoveryGeneration } = row
  const isRecovering = recoveryGeneration === generation
  return { id, email, emailVerified: emailVerifiedAt !== null, name, generation, isRecovering }
}

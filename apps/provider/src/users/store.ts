// People and the ways they can prove who they are.
import { isDuplicate, type Scope } from '../db/unit-of-work.ts'
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
  /** @throws AddressTaken, also when two sign-ups meet in the same moment; it ends the transaction */
  createUser(person: NewPerson): Promise<User>
  renameUser(id: string, name: string | null): Promise<void>
  updateCredential(id: string, data: NewCredential['data']): Promise<void>
  /** The one credential of its type: makes it, or puts it in the place of the one that was. */
  replaceCredential(userId: string, credential: NewCredential): Promise<void>
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

/** As `artifacts/` asks for it: a scalar subquery on `found.user_id`, and who hears of its value. */
type Companion = { sql: string; remember(value: unknown): void }

export type Row = {
  id: string
  email: string
  emailVerifiedAt: Date | string | null
  name: string | null
  disabledAt: Date | string | null
  generation: number
}

const COMPANION = `(select json_build_object('id', users.id, 'email', email, 'emailVerifiedAt', email_verified_at,
  'name', name, 'disabledAt', disabled_at, 'generation', generation) from users where users.id = found.user_id)`
const memoryName = (id: string) => `user ${id}`

export function createUserStore(scope: Scope, now: Clock): UserStore {
  return {
    async findUser(id) {
      const known = scope.inTransaction ? undefined : scope.memory.get(memoryName(id))
      if (known) return toUser(known as Row)
      return toUser(await scope.client.user.findUnique({ where: { id } }))
    },
    async findUserByEmail(canonical) {
      return toUser(await scope.client.user.findUnique({ where: { emailCanonical: canonical } }))
    },
    listCredentials(userId, type) {
      return scope.client.credential.findMany({ where: { userId, type }, orderBy: { id: 'asc' } })
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
        return toUser(await scope.client.user.create({ data }))!
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
    async updateCredential(id, data) {
      await scope.later((client) => client.credential.update({ where: { id }, data: { data } }))
    },
    companion: {
      sql: COMPANION,
      remember(value) {
        const row = value as Row
        scope.memory.set(memoryName(row.id), row)
      },
    },
  }
}

/** Null for a disabled account. */
export function toUser(row: Row | null): User | null {
  if (!row || row.disabledAt) return null
  const { id, email, emailVerifiedAt, name, generation } = row
  return { id, email, emailVerified: emailVerifiedAt !== null, name, generation }
}

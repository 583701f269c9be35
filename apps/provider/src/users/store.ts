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
  /** Null when the address already has an account, also when two sign-ups meet in the same moment. */
  createUser(person: { email: Email; name: string | null }, credential: NewCredential): Promise<User | null>
  updateCredential(id: string, data: NewCredential['data']): Promise<void>
  /** Whom an artefact is about is read along with it: `findUser` need not ask again in the same unit. */
  companion: Companion
}

/** As `artifacts/` asks for it: a scalar subquery on `found.user_id`, and who hears of its value. */
type Companion = { sql: string; remember(value: unknown): void }

type Row = {
  id: string
  email: string
  emailVerifiedAt: Date | string | null
  name: string | null
  disabledAt: Date | string | null
}

const COMPANION = `(select json_build_object('id', users.id, 'email', email, 'emailVerifiedAt', email_verified_at,
  'name', name, 'disabledAt', disabled_at) from users where users.id = found.user_id)`
const memoryName = (id: string) => `user ${id}`

export function createUserStore(scope: Scope, now: Clock): UserStore {
  return {
    async findUser(id) {
      const known = scope.inTransaction ? undefined : scope.memory.get(memoryName(id))
      if (known) return live(known as Row)
      return live(await scope.client.user.findUnique({ where: { id } }))
    },
    async findUserByEmail(canonical) {
      return live(await scope.client.user.findUnique({ where: { emailCanonical: canonical } }))
    },
    listCredentials(userId, type) {
      return scope.client.credential.findMany({ where: { userId, type }, orderBy: { id: 'asc' } })
    },
    async createUser({ email, name }, credential) {
      const id = createId('usr', now())
      const credentials = { create: { id: createId('crd', now()), ...credential } }
      const data = { id, email: email.address, emailCanonical: email.canonical, name, credentials }
      try {
        return live(await scope.client.user.create({ data }))
      } catch (error) {
        if (isDuplicate(error)) return null
        throw error
      }
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

function live(row: Row | null): User | null {
  if (!row || row.disabledAt) return null
  return { id: row.id, email: row.email, emailVerified: row.emailVerifiedAt !== null, name: row.name }
}

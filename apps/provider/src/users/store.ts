// People and the ways they can prove who they are.
import { isDuplicate, type Scope } from '../db/scope.ts'
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
}

type Row = {
  id: string
  email: string
  emailVerifiedAt: Date | null
  name: string | null
  disabledAt: Date | null
}

export function createUserStore(scope: Scope, now: Clock): UserStore {
  return {
    async findUser(id) {
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
      await scope.client.credential.update({ where: { id }, data: { data } })
    },
  }
}

function live(row: Row | null): User | null {
  if (!row || row.disabledAt) return null
  return { id: row.id, email: row.email, emailVerified: row.emailVerifiedAt !== null, name: row.name }
}

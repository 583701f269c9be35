// Whose an e-mail address is, who confirmed it, and how it changes hands.
import { isDuplicate, type Scope } from '../db/unit-of-work.ts'
import type { Email } from '../lib/email.ts'
import { AddressTaken, type Row, toUser } from './store.ts'
import type { User } from './user.ts'

/** What is known of an address: its live owner, and whether a newcomer may have it. */
export type AddressState = {
  /** Null also where the account is disabled. */
  user: User | null
  /** Nobody has it, or nobody ever confirmed it: whoever proves the mailbox may have it. */
  free: boolean
}

export type AddressStore = {
  findAddress(canonical: string): Promise<AddressState>
  /** The person proved that the mailbox is theirs. False when the account is gone. */
  confirmAddress(userId: string): Promise<boolean>
  /** The new address counts as confirmed. @throws AddressTaken, which ends the transaction */
  changeAddress(userId: string, email: Email): Promise<void>
  /**
   * Removes the account that claims an address nobody confirmed, with everything that was attached to it: whoever made it
   * may not have been the owner of the mailbox.
   */
  removeUnconfirmed(canonical: string): Promise<void>
  /** Those the person left and could still have back, as they wrote them. */
  listFormerAddresses(userId: string): Promise<string[]>
  /** What could undo a person's changes of address from that generation on. */
  closeUndos(userId: string, generation: number): Promise<void>
}

/** The owner of a changed address may have it back for a while: until then nobody else gets it. */
export const UNDO_PURPOSE = 'address_undo'

/** `data` of such a challenge, whose binding is the address that was, in its canonical form. */
export type Undo = {
  userId: string
  /** As the person wrote it. */
  address: string
  /** The person's, which the change began. */
  generation: number
}

export function createAddressStore(scope: Scope): AddressStore {
  return {
    async findAddress(canonical) {
      const rows = await scope.client.$queryRawUnsafe<(Partial<Row> & { reserved: boolean })[]>(
        FIND,
        canonical,
      )
      const [{ reserved, ...row }] = rows as [Partial<Row> & { reserved: boolean }]
      if (!row.id) return { user: null, free: !reserved }
      const user = toUser(row as Row)
      return { user, free: user !== null && !user.emailVerified && !reserved }
    },
    async confirmAddress(userId) {
      const where = { id: userId, disabledAt: null }
      const { count } = await scope.client.user.updateMany({ where, data: { emailVerifiedAt: new Date() } })
      return count === 1
    },
    async changeAddress(userId, { address, canonical }) {
      const data = { email: address, emailCanonical: canonical, emailVerifiedAt: new Date() }
      try {
        await scope.client.user.update({ where: { id: userId }, data })
      } catch (error) {
        throw isDuplicate(error) ? new AddressTaken() : error
      }
    },
    async removeUnconfirmed(canonical) {
      await scope.client.user.deleteMany({
        where: { emailCanonical: canonical, emailVerifiedAt: null, disabledAt: null },
      })
    },
    async listFormerAddresses(userId) {
      const rows = await scope.client.$queryRawUnsafe<{ address: string }[]>(LIST_FORMER, userId)
      return rows.map(({ address }) => address)
    },
    async closeUndos(userId, generation) {
      await scope.client.$executeRawUnsafe(CLOSE_UNDOS, userId, generation)
    },
  }
}

const FIND = `
  select exists (select from challenges where purpose = '${UNDO_PURPOSE}' and binding = $1
           and spent_at is null and expires_at > now()) as reserved,
         users.id, email, email_verified_at as "emailVerifiedAt", name, disabled_at as "disabledAt", generation,
         recovery_generation as "recoveryGeneration"
    from (select) as always left join users on email_canonical = $1`

const LIST_FORMER = `
  select data->>'address' as address from challenges
   where purpose = '${UNDO_PURPOSE}' and data->>'userId' = $1 and spent_at is null and expires_at > now()
   order by id`

const CLOSE_UNDOS = `
  delete from challenges where purpose = '${UNDO_PURPOSE}' and data->>'userId' = $1
     and (data->>'generation')::int >= $2`

// A change of address taken back from the mailbox that was: whoever reads that had the account first.
import { z } from 'zod'
import type { AuditLog } from '../audit/store.ts'
import type { Config } from '../config.ts'
import type { Scope } from '../db/unit-of-work.ts'
import type { Email } from '../lib/email.ts'
import type { Outbox } from '../mail/letter.ts'
import type { Told } from '../methods/told.ts'
import { type AddressStore, UNDO_PURPOSE, type Undo } from '../users/addresses.store.ts'
import type { ChallengeStore } from '../users/challenges.store.ts'
import type { UserStore } from '../users/store.ts'

/** Whose change, the generation it began, and the address to come back. */
export type UndoLink = { id: string; userId: string; generation: number; email: Email }

export type AddressUndo = {
  find(token: string): Promise<UndoLink | null>
  /** Ends every session of the person, and their password. False when the link was used meanwhile. @throws AddressTaken */
  restore(link: UndoLink, told: Told): Promise<boolean>
}

type Dependencies = {
  config: Config
  scope: Scope
  users: UserStore
  addresses: AddressStore
  challenges: ChallengeStore
  outbox: Outbox
  audit: AuditLog
}

const undoSchema: z.ZodType<Undo> = z.object({
  userId: z.string(),
  address: z.string(),
  generation: z.number(),
})

export function createAddressUndo(deps: Dependencies): AddressUndo {
  const { config, scope, users, addresses, challenges, outbox, audit } = deps

  async function restore({ id, userId, generation, email }: UndoLink, { visit, occasion }: Told) {
    if (!(await challenges.spendChallenge(id))) return false
    await users.advanceGeneration(userId)
    // Whoever changed the address may know it; the owner comes in by the mailbox that is theirs again.
    await users.removeCredentials(userId, 'password')
    await addresses.changeAddress(userId, email)
    // Of several changes the oldest mailbox has the last word.
    await addresses.closeUndos(userId, generation)
    await challenges.closeChallenges('confirmation_code', userId)
    const content = { kind: 'address_restored' as const, forgotUrl: `${config.ISSUER}/forgot` }
    await outbox.post({ to: email.address, userId, content, occasion })
    await audit.record({ type: 'address.change_undone', userId }, visit)
    return true
  }

  return {
    async find(token) {
      const challenge = token ? await challenges.findChallengeByLink(UNDO_PURPOSE, token) : null
      if (!challenge) return null
      const { userId, generation, address } = undoSchema.parse(challenge.data)
      const email = { address, canonical: challenge.binding }
      return (await users.findUser(userId)) && { id: challenge.id, userId, generation, email }
    },
    restore: (link, told) => scope.transaction(() => restore(link, told)),
  }
}

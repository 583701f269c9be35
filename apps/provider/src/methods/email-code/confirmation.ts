// A person who is signed in proves that the mailbox of their account is theirs.
import type { Occasion } from '../../mail/letter.ts'
import type { AddressStore } from '../../users/addresses.store.ts'
import type { User } from '../../users/user.ts'
import type { CheckedCode, MailedCodes } from './codes.ts'

export type Confirmations = {
  /** Part of a transaction. */
  send(user: User, letter: { clientName: string | null; occasion: Occasion }): Promise<void>
  /** Of the newest letter; `token` is that of its link. */
  check(user: User, proof: { code: string } | { token: string }): Promise<CheckedCode>
  /** Part of a transaction; false when it was done already, or the account is gone. */
  confirm(user: User, id: string): Promise<boolean>
}

type Dependencies = { codes: MailedCodes; addresses: AddressStore; issuer: string; lifetime: number }

const PURPOSE = 'confirmation_code'
const placeOf = (user: User) => `user ${user.id}`

export function createConfirmations({ codes, addresses, issuer, lifetime }: Dependencies): Confirmations {
  return {
    async send(user, letter) {
      await codes.send({
        ...letter,
        purpose: PURPOSE,
        binding: user.id,
        place: placeOf(user),
        about: {},
        to: { address: user.email, userId: user.id },
        lifetime,
        linkOf: (token) => `${issuer}/verify?token=${token}`,
      })
    },
    async check(user, proof) {
      const id = await codes.findOpen(PURPOSE, user.id)
      if (!id) return { ok: false, reason: 'over' }
      return 'token' in proof
        ? codes.checkLink(id, placeOf(user), proof.token)
        : codes.check(id, placeOf(user), proof.code)
    },
    confirm: async (user, id) => (await codes.spend(id)) && addresses.confirmAddress(user.id),
  }
}

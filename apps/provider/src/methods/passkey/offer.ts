// An offer at a good moment: after signing up, after a new password.
import { view } from '../../http/view.ts'
import type { PasskeyStore } from '../../users/passkeys.store.ts'
import type { User } from '../../users/user.ts'
import { type Part, part } from '../method.ts'

type Form = { action: string; csrf: string }

const offerPart = view<{ add: Form; later: Form }>('methods/passkey/offer')

/** Whoever has a passkey needs no offer. That somebody said *Not now* is for the entrance to remember. */
export const mayOfferPasskey = async (passkeys: PasskeyStore, user: User): Promise<boolean> =>
  (await passkeys.listPasskeys(user.id)).length === 0

/** `add` posts to the method's act, `later` to the entrance. */
export const passkeyOffer = (add: Form, later: Form): Part => part(offerPart, { add, later })

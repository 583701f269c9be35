// Whether somebody reads the mailbox of an address, asked so that nobody else learns whether it has an account.
import { z } from 'zod'
import type { Email } from '../../lib/email.ts'
import type { Occasion, Outbox } from '../../mail/letter.ts'
import type { AddressStore } from '../../users/addresses.store.ts'
import type { UserStore } from '../../users/store.ts'
import type { NewCredential } from '../../users/user.ts'
import type { Amr, Person } from '../method.ts'
import type { MailedCodes } from './codes.ts'

/** Who wants to come in: what a new person brought is kept until the mailbox is proved. */
export type Wish = {
  purpose: 'sign_in_code' | 'registration_code'
  email: Email
  name: string | null
  credential: NewCredential | null
  amr: Amr[]
}

/** Where the code may be used, and what its letter tells. */
export type Place = {
  place: string
  clientName: string | null
  occasion: Occasion
  linkOf: (token: string) => string
}

export type Mailbox = {
  /** The challenge's id. Part of a transaction. */
  ask(wish: Wish, place: Place): Promise<string>
  /** The same once more, with a new code; null when that was too long ago. */
  askAgain(id: string, place: Place): Promise<string | null>
  /** What was wished for, of a code that was right. */
  wishOf(about: unknown): Wish
  /** Spends the code and says who came in; null when it was spent before, or the address is not to be had any more. */
  claim(id: string, wish: Wish): Promise<Person | null>
}

type Dependencies = {
  users: UserStore
  addresses: AddressStore
  codes: MailedCodes
  outbox: Outbox
  /** May whoever proves a mailbox have an account there? */
  open: boolean
  /** Milliseconds. */
  lifetime: number
  issuer: string
}

const wishSchema = z.object({
  purpose: z.enum(['sign_in_code', 'registration_code']),
  email: z.object({ address: z.string(), canonical: z.string() }),
  name: z.string().nullable(),
  credential: z
    .object({ type: z.string(), data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])) })
    .nullable(),
  amr: z.array(z.enum(['pwd', 'otp', 'mfa', 'hwk', 'swk', 'fed', 'user'])),
})

export function createMailbox(deps: Dependencies): Mailbox {
  const { users, addresses, codes, outbox, open, lifetime, issuer } = deps

  async function ask(wish: Wish, place: Place): Promise<string> {
    const { purpose, email } = wish
    const { user, free } = await addresses.findAddress(email.canonical)
    const owner = user?.emailVerified ? { address: user.email, userId: user.id } : null
    const newcomer = free && open ? { address: email.address, userId: null } : null
    const isSecondAccount = owner !== null && purpose === 'registration_code'
    if (isSecondAccount) await tellOwner(owner, place.occasion)
    const to = isSecondAccount ? null : (owner ?? newcomer)
    return codes.send({ ...place, purpose, binding: email.canonical, about: wish, to, lifetime })
  }

  function tellOwner({ address, userId }: { address: string; userId: string }, occasion: Occasion) {
    const urls = { signInUrl: `${issuer}/sign-in`, forgotUrl: `${issuer}/forgot` }
    const content = { kind: 'address_in_use' as const, wanted: 'account' as const, ...urls }
    return outbox.post({ to: address, userId, content, occasion })
  }

  return {
    ask,
    async askAgain(id, place) {
      const about = await codes.recall(id)
      return about === null ? null : ask(wishSchema.parse(about), place)
    },
    wishOf: (about) => wishSchema.parse(about),
    async claim(id, { email, name, credential }) {
      if (!(await codes.spend(id))) return null
      const { user, free } = await addresses.findAddress(email.canonical)
      if (user?.emailVerified) return { user, isNew: false }
      if (!free || !open) return null
      await addresses.removeUnconfirmed(email.canonical)
      return { user: await users.createUser({ email, name, credential, confirmed: true }), isNew: true }
    },
  }
}

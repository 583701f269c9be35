// Another address for an account: it counts once a code from its mailbox was brought back, and can be undone from the old one.
import { z } from 'zod'
import type { AuditLog } from '../audit/store.ts'
import type { Config } from '../config.ts'
import type { Scope } from '../db/unit-of-work.ts'
import { type Email, maskEmail, parseEmail } from '../lib/email.ts'
import { randomToken } from '../lib/ids.ts'
import type { Outbox } from '../mail/letter.ts'
import type { CheckedCode, MailedCodes } from '../methods/email-code/codes.ts'
import type { Told } from '../methods/told.ts'
import { type AddressStore, UNDO_PURPOSE, type Undo } from '../users/addresses.store.ts'
import type { ChallengeStore } from '../users/challenges.store.ts'
import { AddressTaken, type UserStore } from '../users/store.ts'
import type { User } from '../users/user.ts'
import type { Visitor } from './session.routes.ts'

/** A change that waits for its code. */
export type PendingAddress = { id: string; email: Email }

export type AddressChange = {
  /** Sends a code to the new address; where it belongs to somebody, nobody can tell, and no code will be right. */
  request(visitor: Visitor, email: Email, told: Told): Promise<void>
  findPending(user: User): Promise<PendingAddress | null>
  check(visitor: Visitor, pending: PendingAddress, typed: string): Promise<CheckedCode>
  /**
   * Everything that stands for the person elsewhere ends. Their new generation; null when the code was used meanwhile.
   * @throws AddressTaken
   */
  confirm(change: Confirmed): Promise<number | null>
}

type Confirmed = {
  user: User
  pending: PendingAddress
  told: Told
  /** Keeps this browser signed in; the last act. */
  keep: () => Promise<void>
}

type Dependencies = {
  config: Config
  scope: Scope
  users: UserStore
  addresses: AddressStore
  challenges: ChallengeStore
  codes: MailedCodes
  outbox: Outbox
  audit: AuditLog
}

const PURPOSE = 'new_address_code'
const aboutSchema = z.object({ address: z.string(), canonical: z.string() })
const placeOf = ({ session }: Visitor) => `session ${session.uid}`

export function createAddressChange(deps: Dependencies): AddressChange {
  const { config, scope, users, addresses, challenges, codes, outbox, audit } = deps
  const { lifetimes } = config.policy

  /** Nobody's, or kept for this person, who left it within the last days. */
  async function stateOf(canonical: string, user: User) {
    const state = await addresses.findAddress(canonical)
    if (state.user || state.free) return { owner: state.user, mayHave: state.free }
    const undo = await challenges.findChallengeOf(UNDO_PURPOSE, canonical)
    return { owner: null, mayHave: (undo?.data as Undo | undefined)?.userId === user.id }
  }

  async function request(visitor: Visitor, email: Email, { visit, occasion }: Told) {
    const { user } = visitor
    const { owner, mayHave } = await stateOf(email.canonical, user)
    if (owner && !mayHave) await outbox.post({ ...addressInUse(owner), occasion })
    await audit.record({ type: 'address.change_requested', userId: user.id }, visit)
    await codes.send({
      purpose: PURPOSE,
      binding: user.id,
      place: placeOf(visitor),
      about: email,
      to: mayHave ? { address: email.address, userId: user.id } : null,
      clientName: null,
      occasion,
      lifetime: lifetimes.email_code,
    })
  }

  function addressInUse({ email, id }: User) {
    const urls = { signInUrl: `${config.ISSUER}/sign-in`, forgotUrl: `${config.ISSUER}/forgot` }
    return {
      to: email,
      userId: id,
      content: { kind: 'address_in_use' as const, wanted: 'address' as const, ...urls },
    }
  }

  async function confirm({ user, pending: { id, email }, told, keep }: Confirmed) {
    if (!(await codes.spend(id))) return null
    if (!(await stateOf(email.canonical, user)).mayHave) throw new AddressTaken()
    const generation = await users.advanceGeneration(user.id)
    await addresses.removeUnconfirmed(email.canonical)
    await addresses.changeAddress(user.id, email)
    await challenges.closeChallenges(UNDO_PURPOSE, email.canonical)
    await challenges.closeChallenges('confirmation_code', user.id)
    // A mailbox that nobody ever proved gets no say: it may be that of whom somebody wants to let in unawares.
    if (user.emailVerified) await tellOldAddress(user, { email, generation, told })
    await audit.record({ type: 'address.changed', userId: user.id }, told.visit)
    await keep()
    return generation
  }

  async function tellOldAddress(
    user: User,
    { email, generation, told }: { email: Email; generation: number; told: Told },
  ) {
    const token = randomToken()
    const lifetime = lifetimes.address_undo
    const data: Undo = { userId: user.id, address: user.email, generation }
    const binding = parseEmail(user.email)!.canonical
    await challenges.openChallenge({ purpose: UNDO_PURPOSE, binding, data, lifetime, linkSecret: token })
    const content = {
      kind: 'address_changed' as const,
      newAddress: maskEmail(email.address),
      undoLink: `${config.ISSUER}/undo?token=${token}`,
      validMs: lifetime,
    }
    await outbox.post({ to: user.email, userId: user.id, content, occasion: told.occasion })
  }

  return {
    request: (visitor, email, told) => scope.transaction(() => request(visitor, email, told)),
    async findPending({ id: userId }) {
      const id = await codes.findOpen(PURPOSE, userId)
      const about = id && (await codes.recall(id))
      return about ? { id, email: aboutSchema.parse(about) } : null
    },
    check: (visitor, { id }, typed) => codes.check(id, placeOf(visitor), typed),
    confirm: (change) => scope.transaction(() => confirm(change)),
  }
}

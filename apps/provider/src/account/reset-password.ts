// A forgotten password: a link to the mailbox of the account, and a new password for whoever brings it back.
import { z } from 'zod'
import type { AuditLog } from '../audit/store.ts'
import type { Config } from '../config.ts'
import type { Scope } from '../db/unit-of-work.ts'
import { digest } from '../lib/digest.ts'
import type { Email } from '../lib/email.ts'
import { randomToken } from '../lib/ids.ts'
import type { Outbox } from '../mail/letter.ts'
import type { Told } from '../methods/told.ts'
import type { AddressStore } from '../users/addresses.store.ts'
import type { ChallengeStore } from '../users/challenges.store.ts'
import type { UserStore } from '../users/store.ts'
import type { NewCredential, User } from '../users/user.ts'

export type Reset = { id: string; user: User }

export type PasswordReset = {
  /** Takes as long for whoever has no account, and nobody can tell. */
  request(email: Email, told: Told): Promise<void>
  /** Whose password a link may set; null when it is wrong, used, too old, or a credential has changed since. */
  find(token: string): Promise<Reset | null>
  /** Ends every session and refresh token of the person. False when the link was used meanwhile. */
  save(reset: Reset, credential: NewCredential, told: Told): Promise<boolean>
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

const PURPOSE = 'password_reset'
/** A link lives as long as the credentials it was asked for under. */
const dataSchema = z.object({ generation: z.number() })

export function createPasswordReset(deps: Dependencies): PasswordReset {
  const { config, scope, users, addresses, challenges, outbox, audit } = deps
  const { ISSUER, policy } = config
  const lifetime = policy.lifetimes.reset_link

  async function request({ canonical }: Email, { visit, occasion }: Told) {
    const { user } = await addresses.findAddress(canonical)
    // Whoever made an account that nobody confirmed may not be the owner of the mailbox, who comes in by a mailed code.
    const owner = user?.emailVerified ? user : null
    const token = randomToken()
    const binding = owner?.id ?? `nobody ${digest(canonical)}`
    const data = { generation: owner?.generation ?? 0 }
    await challenges.openChallenge({ purpose: PURPOSE, binding, data, lifetime, linkSecret: token })
    await audit.record({ type: 'password.reset_requested', ...(owner && { userId: owner.id }) }, visit)
    if (!owner) return
    const content = {
      kind: 'reset_link' as const,
      link: `${ISSUER}/reset?token=${token}`,
      validMs: lifetime,
    }
    await outbox.post({ to: owner.email, userId: owner.id, content, occasion, uselessAfter: lifetime })
  }

  return {
    request: (email, told) => scope.transaction(() => request(email, told)),
    async find(token) {
      const challenge = token ? await challenges.findChallengeByLink(PURPOSE, token) : null
      const user = challenge && (await users.findUser(challenge.binding))
      if (!challenge || !user) return null
      const { generation } = dataSchema.parse(challenge.data)
      return generation === user.generation ? { id: challenge.id, user } : null
    },
    save: ({ id, user }, credential, { visit, occasion }) =>
      scope.transaction(async () => {
        if (!(await challenges.spendChallenge(id))) return false
        await users.advanceGeneration(user.id)
        await users.replaceCredential(user.id, credential)
        const content = {
          kind: 'password_changed' as const,
          how: 'reset' as const,
          forgotUrl: `${ISSUER}/forgot`,
        }
        await outbox.post({ to: user.email, userId: user.id, content, occasion })
        await audit.record({ type: 'password.changed', userId: user.id, how: 'reset' }, visit)
        return true
      }),
  }
}

// A new password for a person who is signed in and has just proved it.
import type { AuditLog } from '../audit/store.ts'
import type { Config } from '../config.ts'
import type { Scope } from '../db/unit-of-work.ts'
import type { Outbox } from '../mail/letter.ts'
import type { Told } from '../methods/told.ts'
import type { UserStore } from '../users/store.ts'
import type { NewCredential, User } from '../users/user.ts'

type Dependencies = { config: Config; scope: Scope; users: UserStore; outbox: Outbox; audit: AuditLog }

type Change = {
  user: User
  how: 'set' | 'changed'
  credential: NewCredential
  told: Told
  /** Keeps this browser signed in; the last act. */
  keep: () => Promise<void>
}

/** Everything that stands for the person elsewhere ends, mailed links included. Returns their new generation. */
export function changePassword({ config, scope, users, outbox, audit }: Dependencies, change: Change) {
  const { user, how, credential, told, keep } = change
  const content = { kind: 'password_changed' as const, how, forgotUrl: `${config.ISSUER}/forgot` }
  return scope.transaction(async () => {
    const generation = await users.advanceGeneration(user.id)
    await users.replaceCredential(user.id, credential)
    const letter = { to: user.email, userId: user.id, content, occasion: told.occasion }
    if (user.emailVerified) await outbox.post(letter)
    await audit.record({ type: 'password.changed', userId: user.id, how }, told.visit)
    await keep()
    return generation
  })
}

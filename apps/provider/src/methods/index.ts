import type { AuditLog } from '../audit/store.ts'
import type { Policy } from '../config.ts'
import type { Clock } from '../lib/clock.ts'
import type { Sealer } from '../lib/seal.ts'
import { longestClosure } from '../limits/store.ts'
import type { Outbox } from '../mail/letter.ts'
import type { ChallengeStore } from '../users/challenges.store.ts'
import type { CredentialStore } from '../users/credentials.store.ts'
import type { PasskeyStore } from '../users/passkeys.store.ts'
import type { UserStore } from '../users/store.ts'
import type { MailedCodes } from './email-code/codes.ts'
import { createEmailCodeMethod } from './email-code/index.ts'
import type { Mailbox } from './email-code/mailbox.ts'
import type { SignInMethod } from './method.ts'
import { createPasskeyMethod } from './passkey/index.ts'
import type { Hasher } from './password/hasher.ts'
import { createPasswordMethod } from './password/index.ts'
import { createRecoveryCodes } from './recovery-codes/codes.ts'
import { createRecoveryCodesMethod } from './recovery-codes/index.ts'
import { createAuthenticators } from './totp/authenticators.ts'
import { createTotpMethod } from './totp/index.ts'

export type MethodDependencies = {
  users: UserStore
  credentials: CredentialStore
  challenges: ChallengeStore
  passkeys: PasskeyStore
  audit: AuditLog
  outbox: Outbox
  sealer: Sealer
  now: Clock
  codes: MailedCodes
  mailbox: Mailbox
  hasher: Hasher
  policy: Policy
  service: string
  issuer: string
}

/** The sign-in methods, in the order people see them. Adding one is adding a line. */
export const createMethods = (deps: MethodDependencies): SignInMethod[] => {
  const { password, limits } = deps.policy
  const recoveryCodes = createRecoveryCodes(deps)
  const authenticators = createAuthenticators(deps)
  return [
    createPasswordMethod({
      ...deps,
      rules: { minLength: password.min_length, minStrength: password.min_strength },
      lockedFor: longestClosure(limits.password_per_account),
    }),
    createEmailCodeMethod(deps),
    createPasskeyMethod({
      ...deps,
      challengeKeys: deps.sealer.deriveAll('passkey-challenge'),
      handleKey: deps.sealer.derive('passkey-handle'),
    }),
    createTotpMethod({
      ...deps,
      authenticators,
      recoveryCodes,
      lockedFor: longestClosure(limits.totp_per_account),
    }),
    createRecoveryCodesMethod({
      codes: recoveryCodes,
      isNeeded: async ({ id }) =>
        (await authenticators.isEnrolled(id)) || (await deps.passkeys.listPasskeys(id)).length > 0,
      issuer: deps.issuer,
    }),
  ]
}

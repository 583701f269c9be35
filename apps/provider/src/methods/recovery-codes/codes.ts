// The recovery codes of a person: ten, each good once, together with the first second factor.
import { digest } from '../../lib/digest.ts'
import type { CredentialStore } from '../../users/credentials.store.ts'
import { createCode } from './code.ts'

export type RecoveryCodes = {
  /** How many have not been used. */
  count(userId: string): Promise<number>
  /** In the place of those that were; part of the transaction of what causes it. The codes are told here and never again. */
  renew(userId: string): Promise<string[]>
  has(userId: string, code: string): Promise<boolean>
  /** How many are left then; null when somebody else used the code first. */
  spend(userId: string, code: string): Promise<number | null>
}

export const TYPE = 'recovery-codes'
const CODES = 10

/**
 * A row for each code: that it is gone makes its one use certain. SHA-256 without a salt is enough for 120 random bits
 * (NIST SP 800-63B-4, section 3.1.2.2: from 112 on), and outlives a change of SECRET_KEY, as the paper does.
 */
export function createRecoveryCodes({ credentials }: { credentials: CredentialStore }): RecoveryCodes {
  const rowFor = (code: string) => ({
    id: credentials.nameCredential(),
    identifier: digest(code),
    data: {},
    counter: 0,
  })

  return {
    count: (userId) => credentials.countCredentials(userId, TYPE),
    async renew(userId) {
      const codes = Array.from({ length: CODES }, createCode)
      await credentials.replaceCredentials(userId, TYPE, codes.map(rowFor))
      return codes
    },
    has: (userId, code) => credentials.hasCredential(userId, TYPE, digest(code)),
    async spend(userId, code) {
      const spent = await credentials.spendCredential(userId, TYPE, digest(code))
      return spent ? credentials.countCredentials(userId, TYPE) : null
    },
  }
}

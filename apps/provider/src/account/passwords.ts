// Passwords as the pages of an account ask for them: a new one is judged, the old one is tried like at the door.
import type { Fields } from '../http/fields.ts'
import type { FieldError } from '../http/view.ts'
import { parseEmail } from '../lib/email.ts'
import type { Allowance, Lock } from '../limits/store.ts'
import type { Content } from '../mail/letter.ts'
import type { Attempt, SignInMethod } from '../methods/method.ts'
import { accountAllowances } from '../methods/password/allowances.ts'
import type { NewCredential, User } from '../users/user.ts'

export type Judged = { ok: true; credential: NewCredential } | { ok: false; errors: FieldError[] }

export type Passwords = {
  /** Runs one request when there is room for its hashes. @throws Problem 503 */
  admit<T>(work: () => Promise<T>): Promise<T>
  /** Judges the field `password` and hashes it, or says what is to change. */
  prepare(fields: Fields, user: User): Promise<Judged>
  /** What a try at the password of this person costs, as on the sign-in page. */
  allowances(user: User, network: string): Allowance[]
  /** What a new password makes the person forget. */
  forgotten(user: User): Allowance[]
  /** Judges the new password, and then tries the present one where there is one. */
  judge(fields: Fields, user: User, hasPassword: boolean): Promise<Verdict>
  /** What the owner is told when the tries are used up. */
  lockLetter(lock: Lock): Content | undefined
}

type Verdict = { ok: true; credential: NewCredential } | { ok: false; isWrong: boolean; errors: FieldError[] }

/** The field of the page, and the longest text we read from it: what is too long for a password the method says. */
export const CURRENT_FIELD = 'current-password'
const FIELD_MAX = 20_000

export function createPasswords(methods: SignInMethod[]): Passwords {
  const method = methods.find(({ id }) => id === 'password')
  if (!method?.enrol) throw new Error('there is no method named password')
  const { enrol } = method

  const prepare: Passwords['prepare'] = (fields, { email, name }) =>
    enrol.prepare(fields, [email, email.split('@')[0] ?? '', name ?? ''])

  async function isRight({ id, email }: User, password: string): Promise<boolean> {
    const outcome = await method!.verify(asAttempt({ email, password }))
    return outcome.ok && 'user' in outcome && outcome.user.id === id
  }

  return {
    admit: (work) => (method.admit ? method.admit(work) : work()),
    prepare,
    allowances: ({ email }, network) => method.allowances(asAttempt({ email }), network),
    forgotten: ({ email }) => accountAllowances(parseEmail(email)?.canonical ?? email),
    async judge(fields, user, hasPassword) {
      const current = fields(CURRENT_FIELD, FIELD_MAX)
      const missing = hasPassword && current === '' ? [MISSING] : []
      const judged = await prepare(fields, user)
      if (!judged.ok) return { ok: false, isWrong: false, errors: [...missing, ...judged.errors] }
      if (missing.length) return { ok: false, isWrong: false, errors: missing }
      if (hasPassword && !(await isRight(user, current))) return { ok: false, isWrong: true, errors: [WRONG] }
      return judged
    },
    lockLetter: (lock) => method.lockLetter?.(lock),
  }
}

const MISSING: FieldError = { field: CURRENT_FIELD, message: 'Enter your current password.' }
const WRONG: FieldError = {
  field: CURRENT_FIELD,
  message: 'This is not your current password. Check it and try again.',
}

/** The same that the sign-in page would send. */
const asAttempt = (typed: Record<string, string>): Attempt => ({
  user: null,
  fields: (name) => typed[name] ?? '',
  action: '',
  csrf: '',
  hint: '',
  begun: null,
  place: '',
  clientName: null,
  occasion: { at: new Date(0), ip: '', userAgent: '' },
  linkOf: () => '',
  trust: null,
})

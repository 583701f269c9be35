// Passwords as the pages of an account ask for them: a new one is judged, the old one is tried like at the door.
import type { Fields } from '../http/fields.ts'
import type { FieldError } from '../http/view.ts'
import type { Allowance } from '../limits/store.ts'
import type { Attempt, SignInMethod } from '../methods/method.ts'
import type { NewCredential, User } from '../users/user.ts'

export type Judged = { ok: true; credential: NewCredential } | { ok: false; errors: FieldError[] }

export type Passwords = {
  /** Runs one request when there is room for its hashes. @throws Problem 503 */
  admit<T>(work: () => Promise<T>): Promise<T>
  /** Judges the field `password` and hashes it, or says what is to change. */
  prepare(fields: Fields, user: User): Promise<Judged>
  /** What a try at the password of this person costs, as on the sign-in page. */
  allowances(user: User, network: string): Allowance[]
  /** Whether the field of the present password holds it. */
  isRight(user: User, fields: Fields): Promise<boolean>
}

/** The field of the page, and the longest text we read from it: what is too long for a password the method says. */
export const CURRENT_FIELD = 'current-password'
const FIELD_MAX = 20_000

export function createPasswords(methods: SignInMethod[]): Passwords {
  const method = methods.find(({ id }) => id === 'password')
  if (!method?.enrol) throw new Error('there is no method named password')
  const { enrol } = method

  return {
    admit: (work) => (method.admit ? method.admit(work) : work()),
    prepare: (fields, { email, name }) =>
      enrol.prepare(fields, [email, email.split('@')[0] ?? '', name ?? '']),
    allowances: ({ email }, network) => method.allowances(asAttempt({ email }), network),
    async isRight({ id, email }, fields) {
      const password = fields(CURRENT_FIELD, FIELD_MAX)
      const outcome = await method.verify(asAttempt({ email, password }))
      return outcome.ok && 'user' in outcome && outcome.user.id === id
    },
  }
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
})

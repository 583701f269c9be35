import type { Visit } from '../audit/event.ts'
import type { AuditLog } from '../audit/store.ts'
import type { Scope } from '../db/unit-of-work.ts'
import type { Fields } from '../http/fields.ts'
import type { FieldError } from '../http/view.ts'
import { parseEmail } from '../lib/email.ts'
import type { Outcome, SignInMethod } from '../methods/method.ts'
import type { UserStore } from '../users/store.ts'

const NAME_MAX = 100

type Dependencies = { users: UserStore; audit: AuditLog; scope: Scope; method: SignInMethod }

export type Newcomer = Extract<Outcome, { ok: true }>
export type Registration = { ok: true } | { ok: false; errors: FieldError[]; taken: boolean }

/**
 * Creates an account, with its first credential and its trace, or says what to change. What `welcome` does with the
 * newcomer is committed with all that, or nothing is: an account nobody was signed in to would be in its owner's way.
 */
export function createRegistrar({ users, audit, scope, method }: Dependencies) {
  return async (
    fields: Fields,
    visit: Visit,
    welcome: (newcomer: Newcomer) => Promise<void>,
  ): Promise<Registration> => {
    const typed = { email: fields('email'), name: fields('name').trim().normalize('NFC') }
    const email = parseEmail(typed.email)
    const errors = [...emailErrors(typed.email, email !== null), ...nameErrors(typed.name)]
    const proof = await method.enrol!.prepare(fields, [
      typed.email,
      typed.email.split('@')[0] ?? '',
      typed.name,
    ])
    if (!proof.ok) errors.push(...proof.errors)
    if (errors.length || !proof.ok || !email) return { ok: false, errors, taken: false }

    const create = async () => {
      const user = await users.createUser({ email, name: typed.name || null }, proof.credential)
      if (!user) throw new AddressTaken()
      await audit.record({ type: 'user.registered', userId: user.id, method: method.id }, visit)
      await welcome({ ok: true, user, amr: proof.amr })
    }
    try {
      await scope.transaction(create)
      return { ok: true }
    } catch (error) {
      if (error instanceof AddressTaken) return { ok: false, errors: [TAKEN], taken: true }
      throw error
    }
  }
}

/** Ends the transaction, which the database has given up already. */
class AddressTaken extends Error {}

const TAKEN: FieldError = {
  field: 'email',
  message:
    'An account cannot be created with this address. If it is yours and you have one already, sign in instead.',
}

function emailErrors(typed: string, isValid: boolean): FieldError[] {
  if (isValid) return []
  const message = typed.trim()
    ? 'Enter an e-mail address in the form name@example.com.'
    : 'Enter your e-mail address.'
  return [{ field: 'email', message }]
}

function nameErrors(name: string): FieldError[] {
  if ([...name].length > NAME_MAX)
    return [{ field: 'name', message: `Use at most ${NAME_MAX} characters for your name.` }]
  if (/\p{Cc}/u.test(name))
    return [{ field: 'name', message: 'Leave out control characters and line breaks.' }]
  return []
}

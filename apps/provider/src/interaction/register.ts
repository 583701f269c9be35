import type { Fields } from '../http/fields.ts'
import type { FieldError } from '../http/view.ts'
import { type Email, parseEmail } from '../lib/email.ts'
import { badAddress } from '../methods/email-code/index.ts'
import type { Amr, SignInMethod } from '../methods/method.ts'
import { nameErrors, normalizeName } from '../users/name.ts'
import type { NewCredential } from '../users/user.ts'

/** What a new person brings. */
export type Newcomer = { email: Email; name: string | null; credential: NewCredential; amr: Amr[] }
export type Judgement = { ok: true; newcomer: Newcomer } | { ok: false; errors: FieldError[] }

/** Reads what was typed where accounts are created, or says everything there is to change. */
export async function judgeNewcomer(fields: Fields, method: SignInMethod): Promise<Judgement> {
  const typed = { email: fields('email'), name: normalizeName(fields('name')) }
  const email = parseEmail(typed.email)
  const about = [typed.email, typed.email.split('@')[0] ?? '', typed.name]
  const proof = await method.enrol!.prepare(fields, about)
  const errors = [
    ...(email ? [] : [{ field: 'email', message: badAddress(typed.email) }]),
    ...nameErrors(typed.name),
    ...(proof.ok ? [] : proof.errors),
  ]
  if (errors.length || !proof.ok || !email) return { ok: false, errors }
  const { credential, amr } = proof
  return { ok: true, newcomer: { email, name: typed.name || null, credential, amr } }
}

export const TAKEN: FieldError = {
  field: 'email',
  message:
    'An account cannot be created with this address. If it is yours and you have one already, sign in instead.',
}

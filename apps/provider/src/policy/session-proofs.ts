// What a session still tells of the proofs it was made with: their references.
import type { SecondFactor } from '../config/factors.ts'
import type { Amr } from '../lib/amr.ts'
import type { Proof } from './strength.ts'

/**
 * `otp` is a mailed code, or one from an app or paper: beside `mfa` one of those that count may have been among them, and
 * then the sign-in is no stronger for it than it was.
 * @param counted the second factors that count (`policy.factors.accepted`)
 */
export function proofsOf(amr: readonly string[], counted: readonly SecondFactor[]): Proof[] {
  const has = (value: Amr) => amr.includes(value)
  // A session keeps the time of the last proof alone, and whoever asks for a younger one asks for a sign-in.
  const proof = (method: string, kind: Proof['kind'], values: Amr[]) => ({ method, kind, amr: values, at: 0 })
  const key = (['hwk', 'swk', 'user'] as const).filter(has)
  const held: SecondFactor = counted.includes('totp') ? 'totp' : 'recovery-codes'
  return [
    ...(has('pwd') ? [proof('password', 'knowledge', ['pwd'])] : []),
    ...(has('fed') ? [proof('federation', 'upstream', ['fed'])] : []),
    ...(has('hwk') || has('swk') ? [proof('passkey', 'possession', key)] : []),
    ...(has('otp') ? [proof('email-code', 'mailbox', ['otp'])] : []),
    ...(has('otp') && has('mfa') ? [proof(held, 'possession', ['otp'])] : []),
  ]
}

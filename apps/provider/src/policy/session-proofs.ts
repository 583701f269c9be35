// What a session still tells of the proofs it was made with: their references.
import type { SecondFactor } from '../config/factors.ts'
import type { Amr } from '../lib/amr.ts'
import type { Proof } from './strength.ts'

const KEYS = ['hwk', 'swk'] as const

/** Was a passkey among the proofs? */
export const isKeyAmong = (amr: readonly string[]): boolean => KEYS.some((value) => amr.includes(value))

/**
 * `otp` is a mailed code, or one from an app or paper: beside `mfa` one from an app may have been among them, unless it was
 * from paper, and then the sign-in is no stronger for it than it was.
 * @param counted the second factors that count (`policy.factors.accepted`)
 */
export function proofsOf(amr: readonly string[], counted: readonly SecondFactor[]): Proof[] {
  const has = (value: Amr) => amr.includes(value)
  // A session keeps the time of the last proof alone, and whoever asks for a younger one asks for a sign-in.
  const proof = (method: string, kind: Proof['kind'], values: Amr[]) => ({ method, kind, amr: values, at: 0 })
  const key = ([...KEYS, 'user'] as const).filter(has)
  const isFromApp = has('otp') && has('mfa') && !(has('recovery') && counted.includes('recovery-codes'))
  return [
    ...(has('pwd') ? [proof('password', 'knowledge', ['pwd'])] : []),
    ...(has('fed') ? [proof('federation', 'upstream', ['fed'])] : []),
    ...(isKeyAmong(amr) ? [proof('passkey', 'possession', key)] : []),
    ...(has('otp') ? [proof('email-code', 'mailbox', ['otp'])] : []),
    ...(isFromApp ? [proof('totp', 'possession', ['otp'])] : []),
    ...(has('recovery') ? [proof('recovery-codes', 'possession', ['otp', 'recovery'])] : []),
  ]
}

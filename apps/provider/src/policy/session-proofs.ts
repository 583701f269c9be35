// What a session still tells of the proofs it was made with: their references.
import type { Amr } from '../lib/amr.ts'
import type { Proof } from './strength.ts'

const KEYS = ['hwk', 'swk'] as const

/** Was a passkey among the proofs? */
export const isKeyAmong = (amr: readonly string[]): boolean => KEYS.some((value) => amr.includes(value))

/** Where two proofs say the same of themselves, the sign-in was no stronger for the second. */
export function proofsOf(amr: readonly string[]): Proof[] {
  const has = (value: Amr) => amr.includes(value)
  // A session keeps the time of the last proof alone, and whoever asks for a younger one asks for a sign-in.
  const proof = (method: string, kind: Proof['kind'], values: Amr[]) => ({ method, kind, amr: values, at: 0 })
  const key = ([...KEYS, 'user'] as const).filter(has)
  return [
    ...(has('pwd') ? [proof('password', 'knowledge', ['pwd'])] : []),
    ...(has('fed') ? [proof('federation', 'upstream', ['fed'])] : []),
    ...(isKeyAmong(amr) ? [proof('passkey', 'possession', key)] : []),
    ...(has('otp') ? [proof('email-code', 'mailbox', ['otp'])] : []),
    ...(has('app') ? [proof('totp', 'possession', ['otp', 'app'])] : []),
    ...(has('recovery') ? [proof('recovery-codes', 'possession', ['otp', 'recovery'])] : []),
  ]
}

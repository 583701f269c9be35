// What a session still tells of the proofs it was made with: their references and the time of the last one.
import type { Amr } from '../lib/amr.ts'
import type { Proof } from './strength.ts'

/** @param at milliseconds since the epoch; of the last of them, and so at most as old as any */
export function proofsOf(amr: readonly string[], at: number): Proof[] {
  const has = (value: Amr) => amr.includes(value)
  const proof = (method: string, kind: Proof['kind'], values: Amr[]): Proof => ({
    method,
    kind,
    amr: values,
    at,
  })
  const key: Amr[] = (['hwk', 'swk', 'user'] as const).filter(has)
  const isSecond = has('mfa') && (has('pwd') || has('fed') || key.length === 0)
  return [
    ...(has('pwd') ? [proof('password', 'knowledge', ['pwd'])] : []),
    ...(has('fed') ? [proof('federation', 'upstream', ['fed'])] : []),
    ...(key.some((value) => value !== 'user') ? [proof('passkey', 'possession', key)] : []),
    ...(has('otp')
      ? otpProofs(proof, { isSecond, isAlone: !has('pwd') && !has('fed') && key.length === 0 })
      : []),
  ]
}

/** A mailed code, an app's code, or both: `otp` stands for either, and `mfa` only beside a second factor. */
function otpProofs(
  proof: (method: string, kind: Proof['kind'], amr: Amr[]) => Proof,
  { isSecond, isAlone }: { isSecond: boolean; isAlone: boolean },
): Proof[] {
  const mailed = proof('email-code', 'mailbox', ['otp'])
  const fromApp = proof('totp', 'possession', ['otp'])
  if (!isSecond) return [mailed]
  return isAlone ? [mailed, fromApp] : [fromApp]
}

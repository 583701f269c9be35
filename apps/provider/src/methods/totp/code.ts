// The codes of an authenticator app: RFC 6238 with what every app knows, SHA-1, six digits, thirty seconds.
import { generateSync } from 'otplib'
import { SECOND } from '../../lib/clock.ts'
import { sameSecret } from '../../lib/digest.ts'

const STEP = 30 * SECOND
const DIGITS = 6
/** Steps that a clock may be off, each way (RFC 6238, section 5.2, recommends one at most). */
const DRIFT = 1

export type JudgedCode =
  /** The newest of the time steps it belongs to. */
  | { ok: true; step: number }
  /** `replayed`: a code of a step that is used up, or older than one that is. */
  | { ok: false; reason: 'wrong' | 'replayed' }

export const stepOf = (at: Date): number => Math.floor(at.getTime() / STEP)

/** @param secret base32, 128 bits or more */
export const codeOf = (secret: string, step: number): string =>
  // A time step is the counter of RFC 4226 (RFC 6238, section 4.2).
  generateSync({ strategy: 'hotp', secret, counter: step, digits: DIGITS, algorithm: 'sha1' })

/** Six digits, pasted with spaces or dashes or not; null: that is no code, and no try. */
export function readCode(typed: string): string | null {
  const code = typed.replace(/[\s\p{Pd}]/gu, '')
  return /^[0-9]{6}$/.test(code) ? code : null
}

/** `used`: the last time step of which a code was accepted; nothing up to it is accepted again (RFC 6238, section 5.2). */
export function judgeCode(
  code: string,
  { secret, used }: { secret: string; used: number },
  at: Date,
): JudgedCode {
  const newest = stepOf(at) + DRIFT
  // Every step is computed, whichever fits: how long it takes tells nothing.
  const steps = Array.from({ length: 2 * DRIFT + 1 }, (_, back) => newest - back).filter((step) =>
    sameSecret(codeOf(secret, step), code),
  )
  const [step] = steps
  if (step === undefined) return { ok: false, reason: 'wrong' }
  return step > used ? { ok: true, step } : { ok: false, reason: 'replayed' }
}

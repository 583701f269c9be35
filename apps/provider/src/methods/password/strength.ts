import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import * as common from '@zxcvbn-ts/language-common'
import * as english from '@zxcvbn-ts/language-en'

const MAX_CODE_POINTS = 128
const MAX_BYTES = 1024

export type PasswordRules = { minLength: number; minStrength: number }

const estimator = new ZxcvbnFactory({
  dictionary: { ...common.dictionary, ...english.dictionary },
  graphs: common.adjacencyGraphs,
  translations: english.translations,
  // The estimate holds up everybody else meanwhile: without these, 128 well-chosen characters take over a second.
  maxLength: 64,
  l33tMaxSubstitutions: 10,
})

/** Unicode NFC, so that the same characters typed on another keyboard are the same password (NIST SP 800-63B-4, 3.1.1.2). */
export const normalizePassword = (typed: string): string => typed.normalize('NFC')

/** Refused before any hashing: more than anybody types. */
export const isOverlong = (password: string): boolean =>
  Buffer.byteLength(password) > MAX_BYTES || [...password].length > MAX_CODE_POINTS

/**
 * Why a new password is not good enough, in words for the person, or null when it is.
 * Any characters may be used and none must; length and guessability are all that count.
 * @param about words an attacker would try first: the person's name and address, the service's name
 */
export function judgePassword(password: string, rules: PasswordRules, about: string[]): string | null {
  if (password === '') return 'Enter a password.'
  if (isOverlong(password)) return `Use at most ${MAX_CODE_POINTS} characters.`
  if ([...password].length < rules.minLength) return `Use at least ${rules.minLength} characters.`
  const { score, feedback } = estimator.check(password, about.filter(Boolean))
  if (score >= rules.minStrength) return null
  return `This password is easy to guess. ${feedback.warning || 'Add another word or two that do not belong together.'}`
}

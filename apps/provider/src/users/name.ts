import type { FieldError } from '../http/view.ts'

const NAME_MAX = 100

/** As it is kept: without blanks around it, and in Unicode NFC. */
export const normalizeName = (typed: string): string => typed.trim().normalize('NFC')

/** Shown to other people and written into letters: no line breaks, nothing endless. */
export function nameErrors(name: string): FieldError[] {
  if ([...name].length > NAME_MAX)
    return [{ field: 'name', message: `Use at most ${NAME_MAX} characters for your name.` }]
  if (/\p{Cc}/u.test(name))
    return [{ field: 'name', message: 'Leave out control characters and line breaks.' }]
  return []
}

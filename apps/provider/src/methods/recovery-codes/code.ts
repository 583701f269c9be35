// A recovery code, as it is made, kept on paper and typed.
import { randomBytes } from 'node:crypto'

/** Crockford's base 32 (https://www.crockford.com/base32.html): no letter looks like a digit, and U is left out. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const LENGTH = 24
const GROUP = 6

const WHOLE = new RegExp(`^[${ALPHABET}]{${LENGTH}}$`)

/** 120 random bits: 24 characters of five bits each, of which a byte has enough and none is favoured. */
export const createCode = (): string =>
  Array.from(randomBytes(LENGTH), (byte) => ALPHABET[byte % ALPHABET.length]).join('')

/** `7K2M9X-04QHDT-...`: in groups that one can read out. */
export const inGroups = (code: string): string =>
  code.match(new RegExp(`.{1,${GROUP}}`, 'g'))?.join('-') ?? ''

/** As somebody may have read it off paper: spaces, dashes, case and look-alikes do not matter. Null: that is none. */
export function readCode(typed: string): string | null {
  const code = typed
    .replace(/[\s\p{Pd}]/gu, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1')
  return WHOLE.test(code) ? code : null
}

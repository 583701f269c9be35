import { expect, test } from 'vitest'
import { PRESETS, SECOND_FACTORS, type SecondFactor } from '../config/factors.ts'
import { nextStep } from './next-step.ts'
import { proofsOf } from './session-proofs.ts'
import { combine, type Proof } from './strength.ts'

const proof = (method: string, kind: Proof['kind'], ...amr: Proof['amr']): Proof => ({
  method,
  kind,
  amr,
  at: 0,
})

const PROOFS = [
  proof('password', 'knowledge', 'pwd'),
  proof('email-code', 'mailbox', 'otp'),
  proof('totp', 'possession', 'otp', 'app'),
  proof('recovery-codes', 'possession', 'otp', 'recovery'),
  proof('passkey', 'possession', 'swk'),
  proof('passkey', 'possession', 'hwk', 'user'),
]
const subsets = <Item>(items: readonly Item[]): Item[][] =>
  Array.from({ length: 2 ** items.length }, (_, set) => items.filter((_, index) => set & (1 << index)))
/** Every sign-in begins with one of these: a key that was only touched names nobody by itself. */
const isFirst = ({ kind, amr }: Proof) => kind !== 'possession' || amr.includes('user')
/** What may stand in the file: recovery codes only beside one they stand in for. */
const isAllowed = (counted: SecondFactor[]) => counted.some((factor) => factor !== 'recovery-codes')

test('a session is as strong as the sign-in that made it: its references lose and gain nothing', () => {
  for (const counted of subsets(SECOND_FACTORS).filter(isAllowed))
    for (const proofs of subsets(PROOFS).filter((set) => set.some(isFirst))) {
      const made = combine(proofs, counted)
      expect(combine(proofsOf(made.amr), counted), JSON.stringify({ proofs, counted })).toEqual(made)
    }
})

test.each([
  [['totp']],
  // A recovery code would be spent at each visit of an app that wishes for two factors.
  [['totp', 'recovery-codes']],
] as SecondFactor[][][])(
  'who brought a factor that counts no more is not asked for more again and again: %s',
  (enrolled) => {
    const brought = combine([PROOFS[0]!, PROOFS[2]!], ['passkey', 'recovery-codes'])
    expect(brought).toMatchObject({ acr: 'urn:anteroom:acr:1', amr: ['pwd', 'otp', 'app'] })
    const next = nextStep({
      proofs: proofsOf(brought.amr),
      person: { isAdministrator: false, enrolled },
      isTrustedDevice: false,
      request: {
        voluntary: ['urn:anteroom:acr:2'],
        essential: null,
        requiresSecondFactor: false,
        since: null,
      },
      policy: { ...PRESETS.balanced, accepted: ['passkey', 'recovery-codes'] },
    })
    expect(next).toMatchObject({ step: 'done', acr: 'urn:anteroom:acr:1' })
  },
)

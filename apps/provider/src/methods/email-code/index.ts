// Signing in, or up, with a code that only the owner of the mailbox can read.
import { type FieldError, view } from '../../http/view.ts'
import { parseEmail } from '../../lib/email.ts'
import { type Attempt, type Begun, type Outcome, part, type SignInMethod } from '../method.ts'
import type { MailedCodes } from './codes.ts'
import type { Mailbox } from './mailbox.ts'

const door = view<{ action: string }>('methods/email-code/door')
const codePage = view<{
  action: string
  again: string
  csrf: string
  address: string
  errors: FieldError[]
}>('methods/email-code/code')

export type EmailCodeDependencies = { mailbox: Mailbox; codes: MailedCodes }

export function createEmailCodeMethod({ mailbox, codes }: EmailCodeDependencies): SignInMethod {
  return {
    id: 'email-code',
    title: 'Check your mail',
    step: 'first',
    kind: 'mailbox',
    needsAddress: true,
    show({ action, csrf, begun }, errors) {
      const again = `${action}/begin`
      if (!begun) return part(door, { action: again })
      return part(codePage, { action, again, csrf, address: begun.address, errors })
    },
    beginAllowances({ begun, fields }, network) {
      const address = begun && isAgain(fields) ? begun.address : fields('email')
      return sendingAllowances('sign_in', address, network)
    },
    allowances: ({ begun }, network) => codeAllowances(begun?.address ?? '', network),
    async begin(attempt) {
      const { begun, fields } = attempt
      if (!begun || !isAgain(fields)) return begin(attempt)
      const id = await mailbox.askAgain(begun.id, attempt)
      return id ? { ok: true, begun: { ...begun, id } } : { ok: false, errors: [inField('code', TOO_LATE)] }
    },
    resume: ({ id }) => codes.isOpen(id),
    // Whoever proves a mailbox that nobody confirmed gets an account of their own.
    isEnrolled: async ({ emailVerified }) => emailVerified,
    verify,
  }

  async function begin(attempt: Attempt): Promise<Begun> {
    const typed = attempt.fields('email')
    const email = parseEmail(typed)
    if (!email) return { ok: false, errors: [inField('email', badAddress(typed))] }
    const wish = {
      purpose: 'sign_in_code' as const,
      email,
      name: null,
      credential: null,
      amr: ['otp' as const],
    }
    return { ok: true, begun: { id: await mailbox.ask(wish, attempt), address: email.address } }
  }

  async function verify({ begun, place, fields }: Attempt): Promise<Outcome> {
    if (!begun) return refused('over')
    const token = fields('link')
    const checked = token
      ? await codes.checkLink(begun.id, place, token)
      : await codes.check(begun.id, place, fields('code'))
    if (!checked.ok) return refused(checked.reason)
    const wish = mailbox.wishOf(checked.about)
    // Whoever reads the mailbox may have its next letter at once.
    const forgets = [letterAllowance('sign_in', begun.address)]
    return { ok: true, amr: wish.amr, claim: () => mailbox.claim(begun.id, wish), forgets }
  }
}

const isAgain = (fields: Attempt['fields']) => fields('again') !== ''

const keyOf = (typed: string) => parseEmail(typed)?.canonical ?? typed

/** Signing up counts with signing in: whoever wants in has one letter at a time. */
export type LetterPurpose = 'sign_in' | 'confirmation' | 'new_address' | 'password_reset'

/** Whoever sends a letter to an address takes these. */
export const sendingAllowances = (purpose: LetterPurpose, address: string, network: string) => [
  letterAllowance(purpose, address),
  { limit: 'letters_per_ip' as const, key: network },
]

/** Counted by what the letter is for: a person who signs up and forgets the password at once gets both. */
const letterAllowance = (purpose: LetterPurpose, address: string) => ({
  limit: 'letters_per_address' as const,
  key: `${purpose} ${keyOf(address)}`,
})

/** Whoever tries a mailed code takes these: a new code brings no new tries. */
export const codeAllowances = (address: string, network: string) => [
  { limit: 'email_code_per_account' as const, key: keyOf(address), endsWithSuccess: true },
  { limit: 'email_code_per_ip' as const, key: network },
]

const TOO_LATE = 'That was too long ago. Begin again, please.'
export const CODE_MESSAGES = {
  incomplete: 'Enter the six digits from the letter.',
  wrong: 'This code is not right. Look for the newest letter, and check the digits.',
  over: 'This code cannot be used any more. Send a new code.',
}

function refused(reason: keyof typeof CODE_MESSAGES): Outcome {
  const outcome = reason === 'over' ? 'expired' : reason
  return { ok: false, reason: outcome, errors: [inField('code', CODE_MESSAGES[reason])] }
}

const inField = (field: string, message: string): FieldError => ({ field, message })

export const badAddress = (typed: string) =>
  typed.trim() ? 'Enter an e-mail address in the form name@example.com.' : 'Enter your e-mail address.'

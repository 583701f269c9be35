// The second factor for whoever has lost theirs: a code from paper, each good once.
import { type FieldError, type Form, view } from '../../http/view.ts'
import type { Allowance } from '../../limits/store.ts'
import type { User } from '../../users/user.ts'
import { type Attempt, type Outcome, type Person, part, type SignInMethod } from '../method.ts'
import { readCode } from './code.ts'
import { TYPE } from './codes.ts'
import { createManage, type ManageDependencies } from './manage.ts'

const codePage = view<Form & { errors: FieldError[] }>('methods/recovery-codes/code')

export function createRecoveryCodesMethod(deps: ManageDependencies): SignInMethod {
  const { codes, issuer } = deps
  return {
    id: TYPE,
    title: 'Enter a recovery code',
    invitation: 'Use a recovery code',
    step: 'second',
    kind: 'possession',
    show: ({ action, csrf }, errors) => part(codePage, { action, csrf, errors }),
    allowances: ({ user }, network) => [
      ...accountAllowances(user?.id ?? ''),
      { limit: 'recovery_code_per_ip', key: network },
    ],
    isEnrolled: async ({ id }) => (await codes.count(id)) > 0,
    manage: createManage(deps),
    verify,
  }

  async function verify({ user, fields }: Attempt): Promise<Outcome> {
    if (!user) return refused('wrong')
    const code = readCode(fields('code'))
    if (!code) return refused('incomplete', user)
    if (!(await codes.has(user.id, code))) return refused('wrong', user)
    return { ok: true, amr: ['otp', 'recovery'], claim: () => claim(user, code) }
  }

  async function claim(user: User, code: string): Promise<Person | null> {
    const left = await codes.spend(user.id, code)
    if (left === null) return null
    const event = { type: 'recovery_codes.used' as const, userId: user.id, left }
    const letter = { kind: 'recovery_code_used' as const, left, forgotUrl: `${issuer}/forgot` }
    return { user, isNew: false, notice: { event, letter } }
  }
}

const accountAllowances = (userId: string): Allowance[] => [
  { limit: 'recovery_code_per_account', key: userId, endsWithSuccess: true },
]

const MESSAGES = {
  incomplete: 'Enter a whole recovery code: 24 letters and digits.',
  wrong: 'This code is not right, or it was used before. Take another one from your list.',
}

const refused = (reason: keyof typeof MESSAGES, user?: User): Outcome => ({
  ok: false,
  reason,
  errors: [{ field: 'code', message: MESSAGES[reason] }],
  userId: user?.id,
})

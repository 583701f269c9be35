// The second factor from an authenticator app.
import { type FieldError, type Form, view } from '../../http/view.ts'
import type { User } from '../../users/user.ts'
import { type Attempt, type Outcome, part, type SignInMethod, type TrustOffer } from '../method.ts'
import { accountAllowances } from './allowances.ts'
import { TYPE } from './authenticators.ts'
import { createManage, type ManageDependencies } from './manage.ts'
import { MESSAGES } from './messages.ts'

const codePage = view<Form & { errors: FieldError[]; trust: TrustOffer | null }>('methods/totp/code')

export type TotpDependencies = ManageDependencies & {
  /** Milliseconds that too many wrong codes close this way. */
  lockedFor: number
}

export function createTotpMethod(deps: TotpDependencies): SignInMethod {
  const { authenticators, issuer, lockedFor } = deps
  const forgotUrl = `${issuer}/forgot`
  return {
    id: TYPE,
    title: 'Enter your authentication code',
    invitation: 'Use your authenticator app',
    step: 'second',
    vouchesForDevice: true,
    kind: 'possession',
    enrolment: { label: 'Set up authenticator app', acts: ['begin', 'confirm'] },
    show: ({ action, csrf, trust }, errors) => part(codePage, { action, csrf, errors, trust }),
    allowances: ({ user }, network) => [
      ...accountAllowances(user?.id ?? ''),
      { limit: 'totp_per_ip', key: network },
    ],
    isEnrolled: ({ id }) => authenticators.isEnrolled(id),
    manage: createManage(deps),
    lockLetter: (lock) =>
      lock === 'disabled'
        ? { kind: 'second_factor_disabled', forgotUrl }
        : { kind: 'second_factor_locked', waitMs: lockedFor, forgotUrl },
    verify,
  }

  async function verify({ user, fields }: Attempt): Promise<Outcome> {
    if (!user) return refused('wrong')
    const answer = await authenticators.verify(user.id, fields('code'))
    if (!answer.ok) return refused(answer.reason, user)
    const claim = async () => ((await authenticators.claim(answer.right)) ? { user, isNew: false } : null)
    return { ok: true, amr: ['otp', 'app'], claim }
  }
}

const refused = (reason: 'incomplete' | 'wrong' | 'replayed', user?: User): Outcome => ({
  ok: false,
  reason,
  errors: [{ field: 'code', message: MESSAGES[reason] }],
  userId: user?.id,
})

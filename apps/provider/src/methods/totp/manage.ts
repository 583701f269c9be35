// The authenticator app in a person's account: set up, replaced, turned off.
import { Problem } from '../../http/problem.ts'
import { type FieldError, type Form, view } from '../../http/view.ts'
import type { User } from '../../users/user.ts'
import type { Change, Manage, ManageAttempt, Managed, ManagePage } from '../manage.ts'
import { part } from '../method.ts'
import type { RecoveryCodes } from '../recovery-codes/codes.ts'
import { listPage } from '../recovery-codes/manage.ts'
import { accountAllowances } from './allowances.ts'
import type { Authenticators } from './authenticators.ts'
import { MESSAGES } from './messages.ts'
import { createSetup, type Setup } from './setup.ts'

const panel = view<Form & { isEnrolled: boolean }>('methods/totp/panel')
const setupPage = view<
  Form & { setup: Setup | null; isOver: boolean; errors: FieldError[]; doneUrl: string }
>('methods/totp/setup')

export type ManageDependencies = {
  authenticators: Authenticators
  recoveryCodes: RecoveryCodes
  service: string
  issuer: string
}

export function createManage(deps: ManageDependencies): Manage {
  const { authenticators, service } = deps
  return {
    async panel({ user, action, csrf }) {
      return part(panel, { action, csrf, isEnrolled: await authenticators.isEnrolled(user.id) })
    },
    acts: {
      async begin(attempt) {
        const { user, place } = attempt
        const secret = await authenticators.begin(user.id, place)
        const setup = createSetup(secret, { service, email: user.email })
        return { page: draw(attempt, { setup }), errors: [] }
      },
      async confirm(attempt): Promise<Managed> {
        const { user, place, fields } = attempt
        const answer = await authenticators.confirm(user.id, { place, typed: fields('code') })
        if (!answer.ok) return refused(attempt, answer.reason)
        const { confirmed } = answer
        return {
          change: async () =>
            (await authenticators.enrol(user.id, confirmed))
              ? enrolled(deps, attempt)
              : refused(attempt, 'over'),
        }
      },
      remove: async ({ user }) => ({ change: () => remove(deps, user) }),
    },
  }
}

/** Recovery codes come with the first second factor: without them a lost phone is a lost account. */
async function enrolled(
  { recoveryCodes, issuer }: ManageDependencies,
  attempt: ManageAttempt,
): Promise<Change> {
  const { user } = attempt
  const change: Change = {
    event: { type: 'totp.enrolled', userId: user.id },
    letter: { kind: 'factor_added', factor: FACTOR, forgotUrl: `${issuer}/forgot` },
    shown: ['otp', 'app'],
    forgets: accountAllowances(user.id),
  }
  if ((await recoveryCodes.count(user.id)) > 0) return change
  const codes = await recoveryCodes.renew(user.id)
  return {
    ...change,
    page: listPage(codes, attempt),
    further: [{ type: 'recovery_codes.generated', userId: user.id }],
  }
}

async function remove({ authenticators, issuer }: ManageDependencies, user: User): Promise<Change> {
  if (!(await authenticators.remove(user.id))) throw nothingThere()
  return {
    event: { type: 'totp.removed', userId: user.id },
    letter: { kind: 'factor_removed', factor: FACTOR, forgotUrl: `${issuer}/forgot` },
    forgets: accountAllowances(user.id),
  }
}

const FACTOR = 'an authenticator app'

const nothingThere = () =>
  new Problem(409, 'There is no authenticator app to turn off.', 'It may have been turned off a moment ago.')

/** The same page without the key: that was shown once. */
function refused(attempt: ManageAttempt, reason: keyof typeof MESSAGES) {
  const isOver = reason === 'over'
  const errors = [{ field: isOver ? '' : 'code', message: MESSAGES[reason] }]
  return { page: draw(attempt, { isOver, errors }), errors }
}

function draw(
  { action, csrf, doneUrl }: ManageAttempt,
  { setup, isOver = false, errors = [] }: { setup?: Setup; isOver?: boolean; errors?: FieldError[] },
): ManagePage {
  return {
    part: part(setupPage, {
      action,
      csrf,
      setup: setup ?? null,
      isOver,
      errors,
      doneUrl,
    }),
    title: 'Set up your authenticator app',
  }
}

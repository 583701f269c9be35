// The recovery codes in a person's account: how many are left, and new ones.
import { Problem } from '../../http/problem.ts'
import { type Form, view } from '../../http/view.ts'
import type { User } from '../../users/user.ts'
import type { Manage, ManageAttempt, ManagePage } from '../manage.ts'
import { part } from '../method.ts'
import { inGroups } from './code.ts'
import type { RecoveryCodes } from './codes.ts'

const panel = view<Form & { isNeeded: boolean; left: number; isLow: boolean }>('methods/recovery-codes/panel')
const list = view<{ codes: string[]; email: string; doneUrl: string }>('methods/recovery-codes/list')

export type ManageDependencies = {
  codes: RecoveryCodes
  /** Whether the person has a second factor that these codes could stand in for. */
  isNeeded: (user: User) => Promise<boolean>
  issuer: string
}

/** From here on the owner is told to make new ones. */
const LOW = 3

/** The one page that shows them. */
export const listPage = (
  codes: string[],
  { user, doneUrl }: Pick<ManageAttempt, 'user' | 'doneUrl'>,
): ManagePage => ({
  part: part(list, { codes: codes.map(inGroups), email: user.email, doneUrl }),
  title: 'Your recovery codes',
  scripts: ['recovery-codes.js'],
})

export function createManage({ codes, isNeeded, issuer }: ManageDependencies): Manage {
  return {
    async panel({ user, action, csrf }) {
      const [left, needed] = await Promise.all([codes.count(user.id), isNeeded(user)])
      return part(panel, { action, csrf, isNeeded: needed, left, isLow: left <= LOW })
    },
    acts: {
      renew: async ({ user, doneUrl }) => ({
        change: async () => {
          if (!(await isNeeded(user))) throw noneNeeded()
          const page = listPage(await codes.renew(user.id), { user, doneUrl })
          return {
            event: { type: 'recovery_codes.generated', userId: user.id },
            letter: { kind: 'factor_added', factor: NEW_CODES, forgotUrl: `${issuer}/forgot` },
            page,
          }
        },
      }),
    },
  }
}

const NEW_CODES = 'new recovery codes, in place of all older ones'

const noneNeeded = () =>
  new Problem(409, 'There is no second step that recovery codes could stand in for.', 'Set one up first.')

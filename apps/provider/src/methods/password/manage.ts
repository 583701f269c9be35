// The password in a person's account: whether there is one, and doing without it. Another one has a page of its own.
import { Problem } from '../../http/problem.ts'
import { type Form, view } from '../../http/view.ts'
import { parseEmail } from '../../lib/email.ts'
import type { UserStore } from '../../users/store.ts'
import type { User } from '../../users/user.ts'
import type { Change, Manage } from '../manage.ts'
import { part } from '../method.ts'
import { accountAllowances } from './allowances.ts'

const panel = view<Form & { hasPassword: boolean }>('methods/password/panel')

type Dependencies = { users: UserStore; issuer: string }

export const hasPassword = async (users: UserStore, userId: string): Promise<boolean> =>
  (await users.listCredentials(userId, 'password')).length > 0

export function createManage({ users, issuer }: Dependencies): Manage {
  async function remove({ id, email }: User): Promise<Change> {
    if (!(await hasPassword(users, id))) throw nothingThere()
    await users.removeCredentials(id, 'password')
    return {
      event: { type: 'password.removed', userId: id },
      letter: { kind: 'factor_removed', factor: 'the password', forgotUrl: `${issuer}/forgot` },
      forgets: accountAllowances(parseEmail(email)?.canonical ?? email),
    }
  }

  return {
    panel: async ({ user, action, csrf }) =>
      part(panel, { action, csrf, hasPassword: await hasPassword(users, user.id) }),
    acts: { remove: async ({ user }) => ({ change: () => remove(user) }) },
  }
}

const nothingThere = () =>
  new Problem(409, 'There is no password to remove.', 'It may have been removed a moment ago.')

import type Router from '@koa/router'
import type { Context } from 'koa'
import { seeOther, sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { networkOf } from '../lib/networks.ts'
import type { User } from '../users/user.ts'
import { changePassword } from './change-password.ts'
import { keepSignedIn } from './keep-signed-in.routes.ts'
import { consoleOf, passwordPage, securityPage } from './pages.ts'
import { CURRENT_FIELD } from './passwords.ts'
import type { Room } from './room.routes.ts'
import type { Demand, Visitor } from './session.routes.ts'
import { tooManyTries } from './words.ts'

const PAGE = '/account/security'
const PASSWORD = { page: '/account/security/password', fresh: true } satisfies Demand

type Refusal = { errors: FieldError[]; status: number }

/** How a person proves who they are, and changing their password. */
export function securityRoutes(router: Router, room: Room): void {
  const { door, views, csrf, config, notices, users, passwords, tries, browsers } = room

  router.get(PAGE, async (ctx) => {
    const visitor = await door.enter(ctx, { page: PAGE })
    if (!visitor) return
    const page = views.page(securityPage, {
      title: 'Security',
      console: consoleOf('Security', door.signOut(ctx)),
      notice: notices.take(ctx),
      hasPassword: await hasPassword(visitor.user),
      passwordUrl: PASSWORD.page,
    })
    sendPage(ctx, page)
  })
  router.get(PASSWORD.page, async (ctx) => {
    const visitor = await door.enter(ctx, PASSWORD)
    if (visitor) await draw(ctx, visitor)
  })
  router.post(PASSWORD.page, (ctx) => passwords.admit(() => save(ctx)))

  const hasPassword = async ({ id }: User) => (await users.listCredentials(id, 'password')).length > 0

  async function draw(ctx: Context, { user }: Visitor, refusal?: Refusal) {
    const has = await hasPassword(user)
    const page = views.page(passwordPage, {
      title: has ? 'Change password' : 'Set a password',
      console: consoleOf('Security', door.signOut(ctx)),
      hasPassword: has,
      email: user.email,
      minLength: config.policy.password.min_length,
      action: PASSWORD.page,
      csrf: csrf.token(ctx),
      errors: refusal?.errors ?? [],
      forgotUrl: '/forgot',
      backUrl: PAGE,
      scripts: ['password.js'],
    })
    sendPage(ctx, page, refusal?.status ?? 200)
  }

  async function save(ctx: Context) {
    const visitor = await door.receive(ctx, PASSWORD)
    if (!visitor) return
    const { user } = visitor
    const has = await hasPassword(user)
    const allowances = has ? passwords.allowances(user, networkOf(ctx.ip)) : []
    const taken = await tries.take(allowances)
    if (!taken.ok) {
      ctx.set('Retry-After', String(taken.wait))
      return draw(ctx, visitor, {
        errors: [{ field: CURRENT_FIELD, message: tooManyTries(taken.wait) }],
        status: 429,
      })
    }
    const judged = await tries.attempt(allowances, () => passwords.prepare(visitor.fields, user))
    if (!judged.ok) {
      await tries.giveBack(allowances)
      return draw(ctx, visitor, { errors: judged.errors, status: 422 })
    }
    const isProved = !has || (await tries.attempt(allowances, () => passwords.isRight(user, visitor.fields)))
    if (!isProved) {
      await tries.fail(taken)
      return draw(ctx, visitor, { errors: [WRONG], status: 422 })
    }
    const { credential } = judged
    const told = door.tellOf(ctx)
    const how = has ? 'changed' : 'set'
    const keep = () => keepSignedIn(ctx, config.ISSUER, visitor.session)
    const generation = await changePassword(room, { user, how, credential, told, keep })
    await tries.succeed(allowances)
    browsers.remember(ctx, { id: user.id, generation })
    notices.leave(ctx, 'password_changed')
    seeOther(ctx, PAGE)
  }
}

const WRONG: FieldError = {
  field: CURRENT_FIELD,
  message: 'This is not your current password. Check it and try again.',
}

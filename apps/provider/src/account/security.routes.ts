import type Router from '@koa/router'
import type { Context } from 'koa'
import { seeOther, sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { networkOf } from '../lib/networks.ts'
import type { Lock, Taken } from '../limits/store.ts'
import { PASSWORD_CLOSED, tooManyTries } from '../limits/words.ts'
import { hasPassword } from '../methods/password/manage.ts'
import type { NewCredential, User } from '../users/user.ts'
import { changePassword } from './change-password.ts'
import { devicesRoutes } from './devices.routes.ts'
import { keepSignedIn } from './keep-signed-in.routes.ts'
import { OFFER, offerRoutes } from './offer.routes.ts'
import { consoleOf, passwordPage, securityPage } from './pages.ts'
import { CURRENT_FIELD } from './passwords.ts'
import type { Room } from './room.routes.ts'
import type { Demand, Visitor } from './session.routes.ts'
import { waysRoutes } from './ways.routes.ts'

const PAGE = '/account/security'
const PASSWORD = { page: '/account/security/password', fresh: true } satisfies Demand

type Refusal = { errors: FieldError[]; status: number }

/** How a person proves who they are, and changing their password. */
export function securityRoutes(router: Router, room: Room): void {
  const { door, views, csrf, config, notices, users, passwords, tries, browsers, outbox, audit } = room

  offerRoutes(router, room)
  // Before the ways in, whose addresses would match theirs.
  const { drawDevices } = devicesRoutes(router, room)
  const { drawPanels } = waysRoutes(router, room)

  router.get(PAGE, async (ctx) => {
    const visitor = await door.enter(ctx, { page: PAGE })
    if (!visitor) return
    const page = views.page(securityPage, {
      title: 'Security',
      console: consoleOf('Security', door.frame(ctx)),
      notice: notices.take(ctx),
      panels: [...(await drawPanels(ctx, visitor)), ...(await drawDevices(ctx, visitor))],
    })
    sendPage(ctx, page)
  })
  router.get(PASSWORD.page, async (ctx) => {
    const visitor = await door.enter(ctx, PASSWORD)
    if (visitor) await draw(ctx, visitor)
  })
  router.post(PASSWORD.page, (ctx) => passwords.admit(() => save(ctx)))

  async function draw(ctx: Context, { user }: Visitor, refusal?: Refusal) {
    const has = await hasPassword(users, user.id)
    const page = views.page(passwordPage, {
      title: has ? 'Change password' : 'Set a password',
      console: consoleOf('Security', door.frame(ctx)),
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
    const { user, fields } = visitor
    const has = await hasPassword(users, user.id)
    const allowances = has ? passwords.allowances(user, networkOf(ctx.ip)) : []
    const taken = await tries.take(allowances)
    if (!taken.ok) return refuse(ctx, visitor, taken)
    const verdict = await tries.attempt(allowances, () => passwords.judge(fields, user, has))
    if (!verdict.ok) {
      if (verdict.isWrong) await tellOfLock(ctx, user, await tries.fail(taken))
      else await tries.giveBack(allowances)
      return draw(ctx, visitor, { errors: verdict.errors, status: 422 })
    }
    const change = { credential: verdict.credential, how: has ? ('changed' as const) : ('set' as const) }
    await tries.attempt(allowances, () => finish(ctx, visitor, change))
    await tries.succeed(allowances)
  }

  async function finish(
    ctx: Context,
    { user, session }: Visitor,
    change: { credential: NewCredential; how: 'set' | 'changed' },
  ) {
    const keep = () => keepSignedIn(ctx, config.ISSUER, session)
    const generation = await changePassword(room, { ...change, user, told: door.tellOf(ctx), keep })
    browsers.remember(ctx, { id: user.id, generation })
    notices.leave(ctx, 'password_changed')
    seeOther(ctx, (await room.offering.isDue(ctx, user)) ? OFFER : PAGE)
  }

  function refuse(ctx: Context, visitor: Visitor, { wait, untilReset }: Extract<Taken, { ok: false }>) {
    ctx.set('Retry-After', String(wait))
    const message = untilReset ? PASSWORD_CLOSED : tooManyTries(wait)
    return draw(ctx, visitor, { errors: [{ field: CURRENT_FIELD, message }], status: 429 })
  }

  /** As at the door: the owner hears when somebody used up the tries. */
  async function tellOfLock(ctx: Context, { id, email, emailVerified }: User, lock: Lock | null) {
    if (!lock) return
    const { visit, occasion } = door.tellOf(ctx)
    await audit.record({ type: 'sign_in.locked', userId: id, method: 'password', lock }, visit)
    const content = passwords.lockLetter(lock)
    if (content && emailVerified) await outbox.post({ to: email, userId: id, content, occasion })
  }
}

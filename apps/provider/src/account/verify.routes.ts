import type Router from '@koa/router'
import type { Context } from 'koa'
import { seeOther, sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { networkOf } from '../lib/networks.ts'
import { letterOnItsWay, tooManyTries } from '../limits/words.ts'
import { CODE_MESSAGES, codeAllowances, sendingAllowances } from '../methods/email-code/index.ts'
import type { User } from '../users/user.ts'
import { over } from './links.routes.ts'
import { codePage, consoleOf, verifyLinkPage } from './pages.ts'
import type { Room } from './room.routes.ts'
import type { Demand, Visitor } from './session.routes.ts'

const VERIFY = { page: '/verify' } satisfies Demand
const PROFILE = '/account'

/** Confirming the address of an account: by the code of a letter, or by its link in the browser of that person. */
export function verifyRoutes(router: Router, room: Room): void {
  const { door, views, csrf, notices, tries, links, scope, audit, confirmations } = room

  router.get(VERIFY.page, async (ctx) => {
    const token = links.take(ctx)
    if (token !== null) await (token ? openLink(ctx, token) : open(ctx))
  })
  router.post(VERIFY.page, confirm)
  router.post(`${VERIFY.page}/begin`, send)

  async function open(ctx: Context) {
    const visitor = await door.enter(ctx, VERIFY)
    if (visitor) draw(ctx, visitor.user)
  }

  /** Looking at a link does nothing: scanners of mail do it too. */
  async function openLink(ctx: Context, token: string) {
    const visitor = await door.findVisitor(ctx)
    if (visitor?.user.emailVerified) return seeOther(ctx, PROFILE)
    if (visitor) await find(ctx, visitor.user, token)
    const page = views.page(verifyLinkPage, {
      title: 'Confirm your address',
      address: visitor?.user.email ?? '',
      token,
      form: visitor && { action: VERIFY.page, csrf: csrf.token(ctx) },
      signInUrl: door.authorization(VERIFY.page),
    })
    sendPage(ctx, page)
  }

  const find = (ctx: Context, user: User, token: string) =>
    links.open(
      ctx,
      async () => {
        const checked = await confirmations.check(user, { token })
        return checked.ok ? checked.id : null
      },
      NEW_CODE,
    )

  function draw(ctx: Context, user: User, refusal?: { message: string; status: number }) {
    if (user.emailVerified) return seeOther(ctx, PROFILE)
    const errors: FieldError[] = refusal ? [{ field: 'code', message: refusal.message }] : []
    const page = views.page(codePage, {
      title: 'Confirm your address',
      console: consoleOf('Profile', door.frame(ctx)),
      address: user.email,
      isNew: false,
      errors,
      action: VERIFY.page,
      again: `${VERIFY.page}/begin`,
      csrf: csrf.token(ctx),
      backUrl: PROFILE,
    })
    sendPage(ctx, page, refusal?.status ?? 200)
  }

  async function send(ctx: Context) {
    const visitor = await door.receive(ctx, VERIFY)
    if (!visitor) return
    const { user } = visitor
    if (user.emailVerified) return seeOther(ctx, PROFILE)
    const allowances = sendingAllowances('confirmation', user.email, networkOf(ctx.ip))
    const taken = await tries.take(allowances)
    if (!taken.ok) {
      ctx.set('Retry-After', String(taken.wait))
      return draw(ctx, user, { message: letterOnItsWay(taken.wait), status: 429 })
    }
    const letter = { clientName: null, occasion: door.tellOf(ctx).occasion }
    await tries.attempt(allowances, () => scope.transaction(() => confirmations.send(user, letter)))
    seeOther(ctx, VERIFY.page)
  }

  async function confirm(ctx: Context) {
    const visitor = await door.receive(ctx, VERIFY)
    if (!visitor) return
    if (visitor.user.emailVerified) return seeOther(ctx, PROFILE)
    const token = visitor.fields('token')
    return token ? confirmByLink(ctx, visitor, token) : confirmByCode(ctx, visitor)
  }

  async function confirmByLink(ctx: Context, { user }: Visitor, token: string) {
    const id = await find(ctx, user, token)
    if (!(await finish(ctx, user, id))) throw over(NEW_CODE)
  }

  async function confirmByCode(
    ctx: Context,
    { user, fields }: Visitor & { fields: (name: string) => string },
  ) {
    const allowances = codeAllowances(user.email, networkOf(ctx.ip))
    const taken = await tries.take(allowances)
    if (!taken.ok) {
      ctx.set('Retry-After', String(taken.wait))
      return draw(ctx, user, { message: tooManyTries(taken.wait), status: 429 })
    }
    const proof = { code: fields('code') }
    const checked = await tries.attempt(allowances, () => confirmations.check(user, proof))
    if (checked.ok && (await finish(ctx, user, checked.id))) return tries.succeed(allowances)
    const reason = checked.ok ? 'over' : checked.reason
    if (reason === 'incomplete') await tries.giveBack(allowances)
    draw(ctx, user, { message: CODE_MESSAGES[reason], status: 422 })
  }

  async function finish(ctx: Context, user: User, id: string): Promise<boolean> {
    const isDone = await scope.transaction(async () => {
      if (!(await confirmations.confirm(user, id))) return false
      await audit.record({ type: 'address.confirmed', userId: user.id }, door.tellOf(ctx).visit)
      return true
    })
    if (!isDone) return false
    links.forget(ctx)
    notices.leave(ctx, 'address_confirmed')
    seeOther(ctx, PROFILE)
    return true
  }
}

const NEW_CODE = {
  todo: 'In your account you can ask for a new letter.',
  back: { label: 'Your account', url: PROFILE },
}

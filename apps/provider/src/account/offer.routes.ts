import type Router from '@koa/router'
import type { Context } from 'koa'
import { seeOther, sendPage } from '../http/reply.ts'
import type { User } from '../users/user.ts'
import { consoleOf, wayPage } from './pages.ts'
import type { Room } from './room.routes.ts'

const PAGE = '/account/security'
export const OFFER = `${PAGE}/offer`

/** A better way in, offered after a new password; *Not now* is remembered for a while. */
export function offerRoutes(router: Router, { door, views, csrf, methods, offers, notices }: Room) {
  const method = methods.find(({ offer }) => offer)

  router.get(OFFER, async (ctx) => {
    const visitor = await door.enter(ctx, { page: PAGE })
    if (!visitor) return
    if (!method?.offer || !(await isOfferDue(ctx, visitor.user))) return seeOther(ctx, PAGE)
    const token = csrf.token(ctx)
    const add = { action: `${PAGE}/${method.id}/${method.enrolment?.acts[0]}`, csrf: token }
    const { part, title } = method.offer({ add, later: { action: OFFER, csrf: token } })
    const page = views.page(wayPage, {
      title,
      console: consoleOf('Security', door.frame(ctx)),
      notice: notices.take(ctx),
      part: views.fragment(part.view, part.data),
    })
    sendPage(ctx, page)
  })
  router.post(OFFER, async (ctx) => {
    if (!(await door.receive(ctx, { page: PAGE }))) return
    offers.postpone(ctx)
    seeOther(ctx, PAGE)
  })

  return { isOfferDue }

  /** Whoever has one needs no offer, and no device is offered what it cannot do. */
  async function isOfferDue(ctx: Context, user: User): Promise<boolean> {
    return offers.isWelcome(ctx) && !(await method?.isEnrolled?.(user))
  }
}

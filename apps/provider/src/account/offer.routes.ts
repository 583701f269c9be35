import type Router from '@koa/router'
import type { Context } from 'koa'
import { seeOther, sendPage } from '../http/reply.ts'
import type { User } from '../users/user.ts'
import type { AccountDependencies } from './dependencies.ts'
import { consoleOf, wayPage } from './pages.ts'
import type { Room } from './room.routes.ts'

const SECURITY = '/account/security'
export const OFFER = `${SECURITY}/offer`
const PROFILE = '/account'
/** Where *Not now* posts to from the profile. */
export const LATER = `${PROFILE}/later`

/** `later`: where *Not now* posts to. `isPage`: it stands by itself, and not among other things. */
type Placed = { later: string; isPage: boolean }

export type Offering = ReturnType<typeof createOffering>

/** A better way in than what somebody has, offered where their device is up to it. */
export function createOffering({ methods, offers, views, csrf }: AccountDependencies) {
  const method = methods.find(({ offer }) => offer)
  return {
    /** Whoever has one needs no offer, and no device is offered what it cannot do. */
    async isDue(ctx: Context, user: User): Promise<boolean> {
      return method !== undefined && offers.isWelcome(ctx) && !(await method.isEnrolled?.(user))
    },
    draw(ctx: Context, { later, isPage }: Placed): { title: string; part: string } {
      const token = csrf.token(ctx)
      const add = { action: `${SECURITY}/${method?.id}/${method?.enrolment?.acts[0]}`, csrf: token }
      const { part, title } = method!.offer!({ add, later: { action: later, csrf: token }, isPage })
      return { title, part: views.fragment(part.view, part.data) }
    },
  }
}

/** The offer after a new password, and *Not now*, which is remembered for a while. */
export function offerRoutes(router: Router, { door, views, offers, offering, notices }: Room): void {
  router.get(OFFER, async (ctx) => {
    const visitor = await door.enter(ctx, { page: SECURITY })
    if (!visitor) return
    if (!(await offering.isDue(ctx, visitor.user))) return seeOther(ctx, SECURITY)
    const page = views.page(wayPage, {
      ...offering.draw(ctx, { later: OFFER, isPage: true }),
      console: consoleOf('Security', door.frame(ctx)),
      notice: notices.take(ctx),
    })
    sendPage(ctx, page)
  })
  router.post(OFFER, (ctx) => postpone(ctx, SECURITY))
  router.post(LATER, (ctx) => postpone(ctx, PROFILE))

  async function postpone(ctx: Context, back: typeof SECURITY | typeof PROFILE) {
    if (!(await door.receive(ctx, { page: back }))) return
    offers.postpone(ctx)
    seeOther(ctx, back)
  }
}

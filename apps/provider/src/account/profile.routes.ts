import type Router from '@koa/router'
import type { Context } from 'koa'
import { seeOther, sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { nameErrors, normalizeName } from '../users/name.ts'
import { LATER } from './offer.routes.ts'
import { consoleOf, profilePage } from './pages.ts'
import type { Room } from './room.routes.ts'
import type { Visitor } from './session.routes.ts'

const PAGE = '/account'

/** Who a person is to the apps: their name and their address. */
export function profileRoutes(router: Router, room: Room): void {
  const { door, views, csrf, notices, offering, scope, users, audit } = room

  router.get(PAGE, async (ctx) => {
    const visitor = await door.enter(ctx, { page: PAGE })
    if (visitor) await draw(ctx, visitor)
  })
  router.post(PAGE, rename)

  async function draw(ctx: Context, { user }: Visitor, typed?: { name: string; errors: FieldError[] }) {
    const isOfferDue = !typed && (await offering.isDue(ctx, user))
    const page = views.page(profilePage, {
      title: 'Profile',
      console: consoleOf('Profile', door.frame(ctx)),
      notice: typed ? null : notices.take(ctx),
      offer: isOfferDue ? offering.draw(ctx, { later: LATER, isPage: false }).part : null,
      person: user,
      name: typed?.name ?? user.name ?? '',
      errors: typed?.errors ?? [],
      action: PAGE,
      csrf: csrf.token(ctx),
      addressUrl: '/account/address',
      verifyUrl: '/verify',
    })
    sendPage(ctx, page, typed ? 422 : 200)
  }

  async function rename(ctx: Context) {
    const visitor = await door.receive(ctx, { page: PAGE })
    if (!visitor) return
    const { id } = visitor.user
    // Of what is posted the name counts and nothing else.
    const name = normalizeName(visitor.fields('name'))
    const errors = nameErrors(name)
    if (errors.length) return draw(ctx, visitor, { name, errors })
    await scope.transaction(async () => {
      await users.renameUser(id, name || null)
      await audit.record({ type: 'profile.changed', userId: id }, door.tellOf(ctx).visit)
    })
    notices.leave(ctx, 'name')
    seeOther(ctx, PAGE)
  }
}

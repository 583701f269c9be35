import type Router from '@koa/router'
import type { Context } from 'koa'
import { sendPage } from '../http/reply.ts'
import { AddressTaken } from '../users/store.ts'
import { over } from './links.routes.ts'
import { undonePage, undoPage } from './pages.ts'
import type { Room } from './room.routes.ts'
import { createAddressUndo, type UndoLink } from './undo-address.ts'

const PAGE = '/undo'

/** What the letter to an address that was leads to. */
export function undoRoutes(router: Router, room: Room): void {
  const { door, views, csrf, links } = room
  const undo = createAddressUndo(room)
  const find = (ctx: Context, token: string) => links.open(ctx, () => undo.find(token), NO_USE)

  /** Looking at a link does nothing: scanners of mail do it too. */
  router.get(PAGE, async (ctx) => {
    const token = links.take(ctx)
    if (token === null) return
    const { email } = await find(ctx, token)
    const page = views.page(undoPage, {
      title: 'Take your address back',
      address: email.address,
      token,
      action: PAGE,
      csrf: csrf.token(ctx),
    })
    sendPage(ctx, page)
  })

  router.post(PAGE, async (ctx) => {
    const fields = await door.readForm(ctx)
    const link = await find(ctx, fields('token'))
    if (!(await restore(ctx, link))) throw over(NO_USE)
    links.forget(ctx)
    const { address } = link.email
    sendPage(ctx, views.page(undonePage, { title: 'Your address is back', address, forgotUrl: '/forgot' }))
  })

  async function restore(ctx: Context, link: UndoLink): Promise<boolean> {
    try {
      return await undo.restore(link, door.tellOf(ctx))
    } catch (error) {
      if (error instanceof AddressTaken) return false
      throw error
    }
  }
}

const NO_USE = {
  todo: 'If you cannot get into your account any more, reset your password.',
  back: { label: 'Reset your password', url: '/forgot' },
}

import type Router from '@koa/router'
import type { Context } from 'koa'
import { sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import type { User } from '../users/user.ts'
import { over } from './links.routes.ts'
import { resetPage, savedPage } from './pages.ts'
import { createPasswordReset } from './reset-password.ts'
import type { Room } from './room.routes.ts'
import { wayOnFrom } from './way-on.routes.ts'

const PAGE = '/reset'

/** What the link of a reset letter leads to. */
export function resetRoutes(router: Router, room: Room): void {
  const { door, views, csrf, config, links, tries, passwords } = room
  const reset = createPasswordReset(room)
  const find = (ctx: Context, token: string) => links.open(ctx, () => reset.find(token), NEW_LINK)

  /** Looking at a link does nothing: scanners of mail do it too. */
  router.get(PAGE, async (ctx) => {
    const token = links.take(ctx)
    if (token === null) return
    const { user } = await find(ctx, token)
    draw(ctx, { user, token, errors: [] })
  })
  router.post(PAGE, (ctx) => passwords.admit(() => save(ctx)))

  function draw(ctx: Context, { user, token, errors }: { user: User; token: string; errors: FieldError[] }) {
    const page = views.page(resetPage, {
      title: 'Choose a new password',
      email: user.email,
      token,
      minLength: config.policy.password.min_length,
      errors,
      action: PAGE,
      csrf: csrf.token(ctx),
      scripts: ['password.js'],
    })
    sendPage(ctx, page, errors.length ? 422 : 200)
  }

  /** What is not good enough for a password costs nothing; the link still works. */
  async function save(ctx: Context) {
    const fields = await door.readForm(ctx)
    const token = fields('token')
    const found = await find(ctx, token)
    const { user } = found
    const judged = await passwords.prepare(fields, user)
    if (!judged.ok) return draw(ctx, { user, token, errors: judged.errors })
    if (!(await reset.save(found, judged.credential, door.tellOf(ctx)))) throw over(NEW_LINK)
    // What was counted against the old password is over with it.
    await tries.forget(passwords.forgotten(user))
    links.forget(ctx)
    const page = views.page(savedPage, {
      title: 'Your password is saved',
      wayOn: await wayOnFrom(ctx, room),
    })
    sendPage(ctx, page)
  }
}

const NEW_LINK = {
  todo: 'Ask for a new link; only the newest works.',
  back: { label: 'Ask for a new link', url: '/forgot' },
}

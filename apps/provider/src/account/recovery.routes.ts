import type Router from '@koa/router'
import type { Context } from 'koa'
import { wait } from '../http/problem.ts'
import { seeOther, sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { parseEmail } from '../lib/email.ts'
import { networkOf } from '../lib/networks.ts'
import { letterOnItsWay } from '../limits/words.ts'
import { badAddress, sendingAllowances } from '../methods/email-code/index.ts'
import { forgotPage, forgotSentPage } from './pages.ts'
import { createPasswordReset } from './reset-password.ts'
import type { Room } from './room.routes.ts'
import { wayOnFrom } from './way-on.routes.ts'

const PAGE = '/forgot'

/** For whoever cannot get in: a link to the mailbox, and not a word about who has an account. */
export function recoveryRoutes(router: Router, room: Room): void {
  const { door, views, csrf, config, tries } = room
  const reset = createPasswordReset(room)

  router.get(PAGE, (ctx) => draw(ctx))
  router.post(PAGE, ask)

  // A Well-Known URL for Changing Passwords (W3C): to where a password is changed, for whoever is here.
  router.get('/.well-known/change-password', async (ctx) =>
    seeOther(ctx, (await door.findVisitor(ctx)) ? '/account/security/password' : PAGE),
  )

  function draw(ctx: Context, tried?: { typed: string; errors: FieldError[]; status: number }) {
    const page = views.page(forgotPage, {
      title: 'Forgot your password?',
      email: tried?.typed ?? '',
      errors: tried?.errors ?? [],
      action: PAGE,
      csrf: csrf.token(ctx),
      signInUrl: '/sign-in',
    })
    sendPage(ctx, page, tried?.status ?? 200)
  }

  async function ask(ctx: Context) {
    const fields = await door.readForm(ctx)
    const typed = fields('email')
    const refuse = (message: string, status: number) =>
      draw(ctx, { typed, errors: [{ field: 'email', message }], status })
    const email = parseEmail(typed)
    if (!email) return refuse(badAddress(typed), 422)
    const allowances = sendingAllowances('password_reset', email.canonical, networkOf(ctx.ip))
    const taken = await tries.take(allowances)
    if (!taken.ok) {
      ctx.set('Retry-After', String(taken.wait))
      return refuse(letterOnItsWay(taken.wait), 429)
    }
    await tries.attempt(allowances, () => reset.request(email, door.tellOf(ctx)))
    const page = views.page(forgotSentPage, {
      title: 'Check your mail',
      email: email.address,
      minutes: wait(config.policy.lifetimes.reset_link / 1000),
      wayOn: await wayOnFrom(ctx, room),
    })
    sendPage(ctx, page)
  }
}

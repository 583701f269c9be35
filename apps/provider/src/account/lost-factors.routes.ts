import type Router from '@koa/router'
import type { Context } from 'koa'
import { seeOther, sendPage } from '../http/reply.ts'
import { timeInWords } from '../mail/words.ts'
import { FINISH_PATH, type LinkPurpose, STOP_PATH } from '../methods/lost-factors/letters.ts'
import { over } from './links.routes.ts'
import { recoveredPage, recoverPage, recoveryStoppedPage, stopRecoveryPage } from './pages.ts'
import type { Room } from './room.routes.ts'
import { STOP_RECOVERY } from './session.routes.ts'

/** A recovery of an account whose second factors are lost: finished and stopped by mailed links, and stopped in the account. */
export function lostFactorsRoutes(router: Router, room: Room): void {
  const { door, views, csrf, links, recoveries } = room
  const find = (ctx: Context, purpose: LinkPurpose, token: string) =>
    links.open(ctx, () => recoveries.findByLink(purpose, token), NO_USE[purpose])

  router.get(FINISH_PATH, async (ctx) => {
    const opened = await look(ctx, 'recovery_finish')
    if (!opened) return
    const { link, user } = opened
    const title = 'Remove your second step'
    sendPage(ctx, views.page(recoverPage, { ...link, title, address: user.email, action: FINISH_PATH }))
  })
  router.get(STOP_PATH, async (ctx) => {
    const opened = await look(ctx, 'recovery_stop')
    if (!opened) return
    const title = 'Keep your second step'
    sendPage(ctx, views.page(stopRecoveryPage, { ...opened.link, title, action: STOP_PATH }))
  })
  router.post(FINISH_PATH, finish)
  router.post(STOP_PATH, stopByLink)
  router.post(STOP_RECOVERY, stopHere)

  /** Looking at a link does nothing: scanners of mail do it too. Null where it is looked at again, without its secret. */
  async function look(ctx: Context, purpose: LinkPurpose) {
    const token = links.take(ctx)
    if (token === null) return null
    const { user, recovery } = await find(ctx, purpose, token)
    return { user, link: { askedAt: timeInWords(recovery.askedAt), token, csrf: csrf.token(ctx) } }
  }

  async function finish(ctx: Context) {
    const fields = await door.readForm(ctx)
    const running = await find(ctx, 'recovery_finish', fields('token'))
    if (!(await recoveries.finish(running, door.tellOf(ctx)))) throw over(NO_USE.recovery_finish)
    links.forget(ctx)
    sendPage(ctx, views.page(recoveredPage, { title: 'Your second step is removed', signInUrl: '/sign-in' }))
  }

  async function stopByLink(ctx: Context) {
    const fields = await door.readForm(ctx)
    const running = await find(ctx, 'recovery_stop', fields('token'))
    if (!(await recoveries.stop(running, 'letter', door.tellOf(ctx)))) throw over(NO_USE.recovery_stop)
    links.forget(ctx)
    drawStopped(ctx, '/forgot')
  }

  /** By anybody who is signed in: it takes nothing away, so no proof is too old for it. */
  async function stopHere(ctx: Context) {
    const visitor = await door.receive(ctx, { page: '/account' })
    if (!visitor) return
    const { user } = visitor
    const recovery = await recoveries.find(user)
    const isStopped = recovery && (await recoveries.stop({ user, recovery }, 'session', door.tellOf(ctx)))
    return isStopped ? drawStopped(ctx, '/account/security/password') : seeOther(ctx, '/account')
  }

  function drawStopped(ctx: Context, passwordUrl: string) {
    sendPage(ctx, views.page(recoveryStoppedPage, { title: 'Your second step stays', passwordUrl }))
  }
}

const NO_USE = {
  recovery_finish: {
    todo: 'If you still cannot get in, sign in as far as you can and ask again.',
    back: { label: 'Sign in', url: '/sign-in' },
  },
  recovery_stop: {
    todo: 'Look into your account whether all is as you want it.',
    back: { label: 'Your account', url: '/account' },
  },
}

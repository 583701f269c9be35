import type Router from '@koa/router'
import type { Context } from 'koa'
import { cookieNames, cookieOptions } from '../http/cookies.ts'
import { seeOther, sendPage } from '../http/reply.ts'
import { DAY } from '../lib/clock.ts'
import { RECOVERY_PROMPT } from '../lib/prompts.ts'
import { recoveryInWords } from '../methods/lost-factors/words.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { recoveryAskedPage } from './pages.ts'

type Deps = InteractionDependencies & { gate: Gate }

/** Whoever lives in the account is told on the way to any app, and can stop it there. */
export function recoveryAskedRoutes(router: Router, { gate, views, csrf, recoveries, config }: Deps) {
  router.post('/recovery/stop', stop)
  router.post('/recovery', goOn)

  return { drawRecoveryAsked }

  /** Also once it is over, whoever ended it: there is a word to be said about the password, and a way on. */
  async function drawRecoveryAsked(ctx: Context, journey: Journey) {
    const recovery = await recoveries.find(await gate.personOf(journey))
    const page = views.page(recoveryAskedPage, {
      title: recovery ? 'Was it you?' : 'Your second step stays',
      running: recovery && recoveryInWords(recovery),
      action: journeyPath(journey.uid, '/recovery'),
      stopAction: journeyPath(journey.uid, '/recovery/stop'),
      csrf: csrf.token(ctx),
      passwordUrl: '/account/security/password',
    })
    sendPage(ctx, page)
  }

  async function stop(ctx: Context) {
    const { journey } = await gate.post(ctx, [RECOVERY_PROMPT])
    const user = await gate.personOf(journey)
    const recovery = await recoveries.find(user)
    if (recovery) await recoveries.stop({ user, recovery }, 'session', gate.tellOf(ctx, journey))
    seeOther(ctx, journeyPath(journey.uid))
  }

  /** On to the app; this browser does not ask again for a day. */
  async function goOn(ctx: Context) {
    const { journey } = await gate.post(ctx, [RECOVERY_PROMPT])
    const recovery = await recoveries.find(await gate.personOf(journey))
    const options = { ...cookieOptions, maxAge: DAY, signed: true }
    if (recovery) ctx.cookies.set(cookieNames(config.ISSUER).recovery, recovery.id, options)
    await gate.finish(ctx, journey, { [RECOVERY_PROMPT]: {} })
  }
}

import type Router from '@koa/router'
import type { Context } from 'koa'
import { sendPage } from '../http/reply.ts'
import type { Standing } from './admission.routes.ts'
import { SIGN_IN_PROMPTS } from './attempts.routes.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { managePage } from './pages.ts'

type Deps = Pick<InteractionDependencies, 'views' | 'csrf' | 'methods' | 'offers'> & {
  gate: Gate
  goOn: (ctx: Context, journey: Journey) => Promise<void>
}

/** The button that goes on without. */
export const laterOf = ({ uid }: Journey, csrf: string) => ({ action: journeyPath(uid, '/later'), csrf })

/** What is offered once to somebody who is new, on their way in. */
export function offerRoutes(router: Router, { gate, goOn, views, csrf, methods, offers }: Deps) {
  const method = methods.find(({ offer }) => offer)

  router.post('/later', async (ctx) => {
    const { journey } = await gate.post(ctx, SIGN_IN_PROMPTS)
    offers.postpone(ctx)
    await goOn(ctx, journey)
  })

  return {
    /** False where there is nothing (any more) to be offered. */
    async drawOffer(ctx: Context, journey: Journey, { user, proved }: Standing): Promise<boolean> {
      if (!proved.isOffered || !method?.offer || (await method.isEnrolled?.(user))) return false
      const token = csrf.token(ctx)
      const action = journeyPath(journey.uid, `/enrol/${method.id}/${method.enrolment?.acts[0]}`)
      const forms = { add: { action, csrf: token }, later: laterOf(journey, token) }
      const { part, title } = method.offer({ ...forms, isPage: true })
      const page = views.page(managePage, {
        title,
        part: views.fragment(part.view, part.data),
        otherUrl: null,
        later: null,
        cancel: null,
      })
      sendPage(ctx, page)
      return true
    },
  }
}

import type Router from '@koa/router'
import type { Context } from 'koa'
import { notFound } from '../http/problem.ts'
import { seeOther, sendPage } from '../http/reply.ts'
import { DAY, HOUR, SECOND } from '../lib/clock.ts'
import type { Allowance } from '../limits/store.ts'
import { durationInWords } from '../mail/words.ts'
import type { Recoveries } from '../methods/lost-factors/recoveries.ts'
import { recoveryInWords } from '../methods/lost-factors/words.ts'
import type { Admission, Standing } from './admission.routes.ts'
import { SIGN_IN_PROMPTS } from './attempts.routes.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { lostPage } from './pages.ts'
import { offeredIn, wayTo } from './second-ways.ts'

type Deps = Pick<InteractionDependencies, 'views' | 'csrf' | 'methods' | 'recoveries'> & {
  gate: Gate
  admission: Admission
}

/**
 * Whether a person at their second step may say that they have lost all there is: only who has proved a first factor in
 * this journey. A session alone may be days old, or stolen.
 */
export const mayAskAtStep = ({ user, proved, decision }: Standing, recoveries: Recoveries): boolean =>
  decision.step === 'prove' && proved.proofs.length > 0 && recoveries.isOffered(user)

/** Asking for a recovery: the person learns what will happen, and is no more signed in than before. */
export function lostRoutes(router: Router, deps: Deps): void {
  const { gate, admission, recoveries, views, csrf, methods } = deps

  router.get('/lost', async (ctx) => {
    const journey = await gate.open(ctx)
    const standing = await findAsking(ctx, journey)
    return standing ? draw(ctx, journey, { standing }) : seeOther(ctx, journeyPath(journey.uid))
  })
  router.post('/lost', ask)

  /** Null for whoever is not at their second step. @throws Problem 404 where nobody can ask, or this person cannot */
  async function findAsking(ctx: Context, journey: Journey): Promise<Standing | null> {
    const standing = SIGN_IN_PROMPTS.includes(journey.prompt)
      ? await admission.findStanding(ctx, journey)
      : null
    if (standing?.decision.step !== 'prove') return null
    if (!mayAskAtStep(standing, recoveries)) throw notFound()
    return standing
  }

  async function draw(
    ctx: Context,
    journey: Journey,
    { standing, refusal }: { standing: Standing; refusal?: string },
  ) {
    const { user } = standing
    const recovery = await recoveries.find(user)
    const page = views.page(lostPage, {
      title: 'Lost your second step?',
      address: user.email,
      ways: offeredIn(standing).map((id) => wayTo(methods, journey, id)),
      wait: durationInWords(recoveries.wait),
      running: recovery && recoveryInWords(recovery),
      action: journeyPath(journey.uid, '/lost'),
      csrf: csrf.token(ctx),
      errors: refusal ? [{ field: '', message: refusal }] : [],
      cancel: gate.cancelOf(ctx, journey),
    })
    sendPage(ctx, page, refusal ? 429 : 200)
  }

  async function ask(ctx: Context) {
    const { journey } = await gate.post(ctx, SIGN_IN_PROMPTS)
    const standing = await findAsking(ctx, journey)
    if (!standing) return seeOther(ctx, journeyPath(journey.uid))
    const { user } = standing
    const allowances: Allowance[] = [{ limit: 'recovery_per_account', key: user.id }]
    const taken = (await recoveries.find(user)) ? null : await gate.take(allowances)
    if (taken && !taken.ok) {
      ctx.set('Retry-After', String(taken.wait))
      return draw(ctx, journey, { standing, refusal: askedTooOften(taken.wait) })
    }
    const told = gate.tellOf(ctx, journey)
    const opened = taken && (await gate.attempt(allowances, () => recoveries.ask(user, told)))
    if (opened === false) await gate.giveBack(allowances)
    seeOther(ctx, journeyPath(journey.uid, '/lost'))
  }
}

/** Nobody counts seconds to a day that is weeks away. */
function askedTooOften(seconds: number): string {
  const ms = seconds * SECOND
  const unit = ms > 2 * DAY ? DAY : HOUR
  const wait = durationInWords(Math.ceil(ms / unit) * unit)
  return `This was asked for too often lately. Look for your second step, or ask again in ${wait}.`
}

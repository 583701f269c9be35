import type Router from '@koa/router'
import type { Context } from 'koa'
import { notFound } from '../http/problem.ts'
import { seeOther, sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { networkOf } from '../lib/networks.ts'
import { durationInWords } from '../mail/words.ts'
import type { Attempt, SignInMethod, TrustOffer } from '../methods/method.ts'
import type { Admission, Standing } from './admission.routes.ts'
import { type Attempts, nothingTyped, SIGN_IN_PROMPTS } from './attempts.routes.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { mayAskAtStep } from './lost.routes.ts'
import { methodPage } from './pages.ts'
import { offeredIn, wayTo } from './second-ways.ts'
import { admitted } from './sign-in.routes.ts'
import type { Trials } from './trials.routes.ts'

type Deps = Pick<InteractionDependencies, 'views' | 'csrf' | 'methods' | 'config' | 'recoveries'> & {
  gate: Gate
  attempts: Attempts
  admission: Admission
  tryProof: Trials
}

type Asked = { standing: Standing; method: SignInMethod }
type Fields = Attempt['fields']
type Refusal = { errors: FieldError[]; status: number; fields: Fields }

/** One more proof from somebody who has proved something already, and nothing else before that. */
export function secondRoutes(
  router: Router,
  { gate, attempts, admission, tryProof, views, csrf, methods, config, recoveries }: Deps,
) {
  const byId = new Map(
    methods.filter((method) => method.step !== 'first').map((method) => [method.id, method]),
  )

  router.get('/second/:id', async (ctx) => {
    const journey = await gate.open(ctx)
    const asked = await findAsked(ctx, journey)
    return asked ? draw(ctx, journey, asked) : seeOther(ctx, journeyPath(journey.uid))
  })
  router.post('/second/:id', (ctx) => {
    const method = byId.get(String(ctx['params'].id))
    if (!method) throw notFound()
    return admitted(method, () => verify(ctx))
  })

  return {
    /** The strongest of what the person can bring. */
    async drawSecond(ctx: Context, journey: Journey, standing: Standing): Promise<void> {
      const [id = ''] = offeredIn(standing)
      const method = byId.get(id)
      return method ? draw(ctx, journey, { standing, method }) : attempts.drawSignIn(ctx, journey)
    },
  }

  async function findAsked(ctx: Context, journey: Journey): Promise<Asked | null> {
    const standing = SIGN_IN_PROMPTS.includes(journey.prompt)
      ? await admission.findStanding(ctx, journey)
      : null
    const method = byId.get(String(ctx['params'].id))
    return standing && method && offeredIn(standing).includes(method.id) ? { standing, method } : null
  }

  function draw(ctx: Context, journey: Journey, { standing, method }: Asked, refusal?: Refusal): void {
    const errors = refusal?.errors ?? []
    const attempt = attemptOf(ctx, journey, { standing, method }, refusal?.fields ?? nothingTyped)
    const { view, data } = method.show(attempt, errors)
    const page = views.page(methodPage, {
      title: method.title ?? 'One more step',
      part: views.fragment(view, data),
      errors,
      ways: waysBeside(journey, { standing, method }),
      cancel: gate.cancelOf(ctx, journey),
      ...(method.scripts && { scripts: method.scripts }),
    })
    sendPage(ctx, page, refusal?.status ?? 200)
  }

  function waysBeside(journey: Journey, { standing, method }: Asked) {
    const others = offeredIn(standing).filter((id) => id !== method.id)
    const lost = { label: 'I have lost all of these', url: journeyPath(journey.uid, '/lost') }
    return [
      ...others.map((id) => wayTo(methods, journey, id)),
      ...(mayAskAtStep(standing, recoveries) ? [lost] : []),
      { label: 'Sign in as somebody else', url: journeyPath(journey.uid, '/sign-in') },
    ]
  }

  function attemptOf(ctx: Context, journey: Journey, { standing, method }: Asked, fields: Fields): Attempt {
    const action = journeyPath(journey.uid, `/second/${method.id}`)
    const attempt = attempts.attempt(ctx, journey, { id: method.id, fields })
    const trust = trustOf({ standing, method }, fields)
    return { ...attempt, user: standing.user, action, csrf: csrf.token(ctx), trust }
  }

  /** Only where a trusted browser would have spared the person this very step. */
  function trustOf({ standing: { decision }, method }: Asked, fields: Fields): TrustOffer | null {
    if (decision.step !== 'prove' || !decision.canTrust || !method.vouchesForDevice) return null
    const length = durationInWords(config.policy.factors.trusted_device)
    return { length, isTicked: fields('trust') !== '' }
  }

  async function verify(ctx: Context) {
    const { journey, fields } = await gate.post(ctx, SIGN_IN_PROMPTS)
    const asked = await findAsked(ctx, journey)
    if (!asked) return seeOther(ctx, journeyPath(journey.uid))
    const attempt = attemptOf(ctx, journey, asked, fields)
    await tryProof(ctx, journey, {
      method: asked.method,
      attempt,
      allowances: asked.method.allowances(attempt, networkOf(ctx.ip)),
      redraw: (errors, status) => draw(ctx, journey, asked, { errors, status, fields }),
    })
  }
}

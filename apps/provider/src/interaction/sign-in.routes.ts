import type Router from '@koa/router'
import type { Context } from 'koa'
import type { Fields } from '../http/fields.ts'
import { notFound, wait } from '../http/problem.ts'
import { sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { networkOf } from '../lib/networks.ts'
import type { Attempt, SignInMethod } from '../methods/method.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { drawDoors, shown, signInPage } from './pages.ts'
import { decideSignIn } from './sign-in.ts'

/** Prompts at which a person who is not signed in may prove who they are. */
export const SIGN_IN_PROMPTS = ['login', 'create']

const nothingTyped: Fields = () => ''

/** Lets a try in when its method has room for it. */
export const admitted = <T>({ admit }: SignInMethod, attempt: () => Promise<T>): Promise<T> =>
  admit ? admit(attempt) : attempt()

/** Proving who one is: the page with all first factors, and the post of each. */
export function signInRoutes(
  router: Router,
  gate: Gate,
  { views, csrf, methods, config }: InteractionDependencies,
) {
  const byId = new Map(
    methods.filter((method) => method.step !== 'second').map((method) => [method.id, method]),
  )

  router.post('/method/:id', (ctx) => {
    const method = byId.get(String(ctx['params'].id))
    if (!method) throw notFound()
    return admitted(method, () => verify(ctx, method))
  })

  return { drawSignIn }

  /** The page, as it is or with what went wrong in the method that was tried. */
  function drawSignIn(
    ctx: Context,
    journey: Journey,
    tried?: { id: string; fields: Fields; errors: FieldError[]; status: number },
  ) {
    const fields = tried?.fields ?? nothingTyped
    const errors = tried?.errors ?? []
    const attemptFor = (id: string) => attempt(ctx, journey, { id, fields })
    const page = views.page(signInPage, {
      title: 'Sign in',
      client: shown(journey.client),
      doors: drawDoors(views, methods, { attemptFor, id: tried?.id ?? null, errors }),
      errors,
      registerUrl: config.policy.registration.open ? journeyPath(journey.uid, '/register') : null,
      cancel: gate.cancelOf(ctx, journey),
      scripts: ['password.js'],
    })
    sendPage(ctx, page, tried?.status ?? 200)
  }

  function attempt(ctx: Context, journey: Journey, { id, fields }: { id: string; fields: Fields }): Attempt {
    const action = journeyPath(journey.uid, `/method/${id}`)
    return { user: null, fields, action, csrf: csrf.token(ctx), hint: fields('email') || journey.loginHint }
  }

  async function verify(ctx: Context, method: SignInMethod) {
    const { journey, fields } = await gate.post(ctx, SIGN_IN_PROMPTS)
    const trial = attempt(ctx, journey, { id: method.id, fields })
    const allowances = method.allowances(trial, networkOf(ctx.ip))

    const seconds = await gate.take(allowances)
    if (seconds !== null) return refuse(ctx, journey, { method, fields, seconds })

    const outcome = await gate.attempt(allowances, () => method.verify(trial))
    if (outcome.ok) await gate.succeed(allowances)
    else if (outcome.reason === 'incomplete') await gate.giveBack(allowances)
    if (!outcome.ok) {
      const { reason, errors, userId } = outcome
      if (reason !== 'incomplete')
        await gate.record(ctx, { type: 'sign_in.failed', method: method.id, reason, userId }, journey)
      return drawSignIn(ctx, journey, { id: method.id, fields, errors, status: 422 })
    }
    const login = decideSignIn(outcome)
    await gate.record(ctx, { type: 'sign_in.succeeded', userId: login.accountId, amr: login.amr }, journey)
    await gate.finish(ctx, journey, { [journey.prompt]: {}, login })
  }

  /** The same words for everyone, whether or not there is such an account. */
  function refuse(
    ctx: Context,
    journey: Journey,
    tried: { method: SignInMethod; fields: Fields; seconds: number },
  ) {
    const { method, fields, seconds } = tried
    ctx.set('Retry-After', String(seconds))
    const message = `There were too many tries. Wait ${wait(seconds)}, then try again.`
    drawSignIn(ctx, journey, { id: method.id, fields, errors: [{ field: 'email', message }], status: 429 })
  }
}

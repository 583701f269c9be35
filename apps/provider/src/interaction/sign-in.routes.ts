import type Router from '@koa/router'
import type { Context } from 'koa'
import type { Fields } from '../http/fields.ts'
import { networkOf } from '../lib/networks.ts'
import type { Allowance } from '../limits/store.ts'
import type { Outcome, SignInMethod } from '../methods/method.ts'
import type { Admission } from './admission.routes.ts'
import { type Attempts, SIGN_IN_PROMPTS, tooManyTries } from './attempts.routes.ts'
import type { Gate } from './gate.routes.ts'
import type { Journey } from './journey.ts'

type Deps = { gate: Gate; attempts: Attempts; admission: Admission }
type Failure = Extract<Outcome, { ok: false }>

/** Lets a try in when its method has room for it. */
export const admitted = <T>({ admit }: SignInMethod, attempt: () => Promise<T>): Promise<T> =>
  admit ? admit(attempt) : attempt()

/** Proving who one is: the post of each method. */
export function signInRoutes(router: Router, { gate, attempts, admission }: Deps): void {
  router.post('/method/:id', (ctx) => {
    const method = attempts.methodOf(ctx)
    return admitted(method, () => verify(ctx, method))
  })

  async function verify(ctx: Context, method: SignInMethod) {
    const { journey, fields } = await gate.post(ctx, SIGN_IN_PROMPTS)
    const trial = attempts.attempt(ctx, journey, { id: method.id, fields })
    const allowances = method.allowances(trial, networkOf(ctx.ip))
    const seconds = await gate.take(allowances)
    if (seconds !== null) return refuse(ctx, journey, { method, fields, seconds })

    const outcome = await gate.attempt(allowances, () => method.verify(trial))
    const result = outcome.ok
      ? await admission.claimAndAdmit(ctx, journey, { proof: outcome, method: method.id })
      : outcome
    if (result.ok) return gate.succeed(allowances)
    await note(ctx, journey, { method, failure: result, allowances })
    attempts.redraw(ctx, journey, { method, fields, errors: result.errors, status: 422 })
  }

  async function note(
    ctx: Context,
    journey: Journey,
    { method, failure, allowances }: { method: SignInMethod; failure: Failure; allowances: Allowance[] },
  ) {
    const { reason, userId } = failure
    if (reason === 'incomplete') return gate.giveBack(allowances)
    await gate.record(ctx, { type: 'sign_in.failed', method: method.id, reason, userId }, journey)
  }

  /** The same words for everyone, whether or not there is such an account. */
  function refuse(
    ctx: Context,
    journey: Journey,
    { method, fields, seconds }: { method: SignInMethod; fields: Fields; seconds: number },
  ) {
    ctx.set('Retry-After', String(seconds))
    const field = journey.progress?.method === method.id ? 'code' : 'email'
    const errors = [{ field, message: tooManyTries(seconds) }]
    attempts.redraw(ctx, journey, { method, fields, errors, status: 429 })
  }
}

import type Router from '@koa/router'
import type { Context } from 'koa'
import type { Fields } from '../http/fields.ts'
import { parseEmail } from '../lib/email.ts'
import { networkOf } from '../lib/networks.ts'
import { ofBrowser } from '../limits/known-browser.ts'
import type { Allowance, Lock, Taken } from '../limits/store.ts'
import type { Attempt, Outcome, SignInMethod } from '../methods/method.ts'
import type { Admission } from './admission.routes.ts'
import { type Attempts, SIGN_IN_PROMPTS, tooManyTries } from './attempts.routes.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import type { Journey } from './journey.ts'

type Deps = Pick<InteractionDependencies, 'browsers' | 'users' | 'outbox' | 'failures'> & {
  gate: Gate
  attempts: Attempts
  admission: Admission
}
type Failed = {
  method: SignInMethod
  failure: Extract<Outcome, { ok: false }>
  allowances: Allowance[]
  taken: Taken
}
type Refusal = { method: SignInMethod; fields: Fields; taken: Extract<Taken, { ok: false }> }

/** Lets a try in when its method has room for it. */
export const admitted = <T>({ admit }: SignInMethod, attempt: () => Promise<T>): Promise<T> =>
  admit ? admit(attempt) : attempt()

/** Proving who one is: the post of each method. */
export function signInRoutes(router: Router, deps: Deps): void {
  const { gate, attempts, admission, browsers, users, outbox, failures } = deps

  router.post('/method/:id', (ctx) => {
    const method = attempts.methodOf(ctx)
    return admitted(method, () => verify(ctx, method))
  })

  async function verify(ctx: Context, method: SignInMethod) {
    const { journey, fields } = await gate.post(ctx, SIGN_IN_PROMPTS)
    const trial = attempts.attempt(ctx, journey, { id: method.id, fields })
    const allowances = await allowancesOf(ctx, method, trial)
    const taken = await gate.take(allowances)
    if (!taken.ok) return refuse(ctx, journey, { method, fields, taken })

    const outcome = await gate.attempt(allowances, () => method.verify(trial))
    const result = outcome.ok
      ? await admission.claimAndAdmit(ctx, journey, { proof: outcome, method: method.id })
      : outcome
    if (result.ok) {
      await gate.succeed(allowances)
      return gate.forget(outcome.ok ? (outcome.forgets ?? []) : [])
    }
    await note(ctx, journey, { method, failure: result, allowances, taken })
    attempts.redraw(ctx, journey, { method, fields, errors: result.errors, status: 422 })
  }

  /** In a browser where the person was signed in before, tries count for that browser: strangers cannot use them up. */
  async function allowancesOf(ctx: Context, method: SignInMethod, trial: Attempt): Promise<Allowance[]> {
    const allowances = method.allowances(trial, networkOf(ctx.ip))
    if (!browsers.isAny(ctx)) return allowances
    const email = parseEmail(trial.begun?.address ?? trial.fields('email'))
    const user = email && (await users.findUserByEmail(email.canonical))
    return user ? ofBrowser(browsers.idFor(ctx, user), allowances) : allowances
  }

  async function note(
    ctx: Context,
    journey: Journey,
    { method, failure, allowances, taken }: Failed,
  ): Promise<void> {
    const { reason, userId } = failure
    if (reason === 'incomplete') return gate.giveBack(allowances)
    failures.note()
    await gate.record(ctx, { type: 'sign_in.failed', method: method.id, reason, userId }, journey)
    const lock = await gate.fail(taken)
    if (lock && userId) await tellOwner(ctx, journey, { method, lock, userId })
  }

  async function tellOwner(
    ctx: Context,
    journey: Journey,
    { method, lock, userId }: { method: SignInMethod; lock: Lock; userId: string },
  ) {
    await gate.record(ctx, { type: 'sign_in.locked', userId, method: method.id, lock }, journey)
    const content = method.lockLetter?.(lock)
    const owner = content && (await users.findUser(userId))
    if (owner?.emailVerified)
      await outbox.post({ to: owner.email, userId, content: content!, occasion: gate.occasionOf(ctx) })
  }

  /** The same words for everyone, whether or not there is such an account. */
  function refuse(ctx: Context, journey: Journey, { method, fields, taken }: Refusal) {
    ctx.set('Retry-After', String(taken.wait))
    const field = journey.progress?.method === method.id ? 'code' : 'email'
    const message = taken.untilReset ? UNTIL_RESET : tooManyTries(taken.wait)
    attempts.redraw(ctx, journey, { method, fields, errors: [{ field, message }], status: 429 })
  }
}

const UNTIL_RESET =
  'There were too many wrong passwords. Have a code mailed to you, or choose a new password by “Forgot password?”.'

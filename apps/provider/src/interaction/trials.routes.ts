import type { Context } from 'koa'
import type { FieldError } from '../http/view.ts'
import type { Allowance, Lock, Taken } from '../limits/store.ts'
import { PASSWORD_CLOSED, SECOND_FACTOR_CLOSED, tooManyTries } from '../limits/words.ts'
import type { Attempt, Outcome, SignInMethod } from '../methods/method.ts'
import type { Admission } from './admission.routes.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import type { Journey } from './journey.ts'

type Deps = Pick<InteractionDependencies, 'users' | 'outbox' | 'failures'> & {
  gate: Gate
  admission: Admission
}

/** One try at a method: what it costs, and how the page is drawn again that it came from. */
export type Trial = {
  method: SignInMethod
  attempt: Attempt
  allowances: Allowance[]
  redraw: (errors: FieldError[], status: number) => void
}

type Failed = { trial: Trial; failure: Extract<Outcome, { ok: false }>; taken: Taken }

export type Trials = ReturnType<typeof createTrials>

/** Trying a proof, at whichever step: the limits first, then the method, then whoever decides. */
export function createTrials({ gate, admission, users, outbox, failures }: Deps) {
  return async (ctx: Context, journey: Journey, trial: Trial): Promise<void> => {
    const { method, attempt, allowances, redraw } = trial
    const taken = await gate.take(allowances)
    if (!taken.ok) return refuse(ctx, trial, taken)

    const trustsDevice = attempt.trust?.isTicked ?? false
    const outcome = await gate.attempt(allowances, () => method.verify(attempt))
    const result = outcome.ok
      ? await admission.claimAndSettle(ctx, journey, { proof: outcome, method, trustsDevice })
      : outcome
    if (result.ok) {
      await gate.succeed(allowances)
      return gate.forget(outcome.ok ? (outcome.forgets ?? []) : [])
    }
    await note(ctx, journey, { trial, failure: result, taken })
    redraw(result.errors, 422)
  }

  async function note(ctx: Context, journey: Journey, { trial, failure, taken }: Failed): Promise<void> {
    const { method, attempt, allowances } = trial
    const { reason, userId = attempt.user?.id } = failure
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
  function refuse(ctx: Context, { redraw, attempt }: Trial, taken: Extract<Taken, { ok: false }>) {
    ctx.set('Retry-After', String(taken.wait))
    const field = attempt.begun || attempt.user ? 'code' : 'email'
    const closed = attempt.user ? SECOND_FACTOR_CLOSED : PASSWORD_CLOSED
    redraw([{ field, message: taken.untilReset ? closed : tooManyTries(taken.wait) }], 429)
  }
}

import type { Context } from 'koa'
import type { Outcome, Person } from '../methods/method.ts'
import { AddressTaken } from '../users/store.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import type { Journey } from './journey.ts'
import { decideSignIn } from './sign-in.ts'

type Proof = Extract<Outcome, { ok: true }>

export type Admission = ReturnType<typeof createAdmission>

/** How a person who proved who they are goes in, by whichever door. */
export function createAdmission(gate: Gate, { browsers, outbox, scope, config }: InteractionDependencies) {
  return { admit, claimAndAdmit }

  /** Refused when the proof was good, but somebody else brought it first. */
  async function claimAndAdmit(
    ctx: Context,
    journey: Journey,
    { proof, method }: { proof: Proof; method: string },
  ): Promise<{ ok: true } | Extract<Outcome, { ok: false }>> {
    const { amr } = proof
    if (!('claim' in proof)) {
      await admit(ctx, journey, { person: { user: proof.user, isNew: false }, amr, method })
      return { ok: true }
    }
    try {
      return await scope.transaction(async () => {
        const person = await proof.claim()
        if (!person) return TOO_LATE
        await admit(ctx, journey, { person, amr, method })
        return { ok: true as const }
      })
    } catch (error) {
      if (error instanceof AddressTaken) return TOO_LATE
      throw error
    }
  }

  /** The trace, a word to the owner about a browser never seen before, and on to the app. */
  async function admit(
    ctx: Context,
    journey: Journey,
    { person: { user, isNew }, amr, method }: { person: Person; amr: Proof['amr']; method: string },
  ) {
    if (isNew) await gate.record(ctx, { type: 'user.registered', userId: user.id, method }, journey)
    else if (!browsers.isKnown(ctx, user)) await tellOwner(ctx, user)
    browsers.remember(ctx, user)
    const login = decideSignIn({ user, amr })
    await gate.record(ctx, { type: 'sign_in.succeeded', userId: user.id, amr: login.amr }, journey)
    await gate.finish(ctx, journey, { [journey.prompt]: {}, login })
  }

  function tellOwner(ctx: Context, user: Person['user']) {
    return outbox.post({
      to: user.email,
      userId: user.id,
      content: { kind: 'new_browser', forgotUrl: `${config.ISSUER}/forgot` },
      occasion: gate.occasionOf(ctx),
    })
  }
}

const TOO_LATE = {
  ok: false as const,
  reason: 'expired' as const,
  errors: [{ field: 'code', message: 'This code was used already. Send a new code.' }],
}

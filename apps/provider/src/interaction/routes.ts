// The journey: choose a method, prove, consent, finish, sign out. Every step comes back to one dispatcher.
import Router from '@koa/router'
import type { Context } from 'koa'
import { seeOther } from '../http/reply.ts'
import { CONFIRM_PROMPT, RECOVERY_PROMPT } from '../lib/prompts.ts'
import { createAdmission, type Standing, UNMET } from './admission.routes.ts'
import { createAttempts, SIGN_IN_PROMPTS } from './attempts.routes.ts'
import { beginRoutes } from './begin.routes.ts'
import { confirmRoutes } from './confirm.routes.ts'
import { consentRoutes } from './consent.routes.ts'
import { enrolRoutes } from './enrol.routes.ts'
import { createGate, type InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { lostRoutes } from './lost.routes.ts'
import { offerRoutes } from './offer.routes.ts'
import { recoveryAskedRoutes } from './recovery-asked.routes.ts'
import { registerRoutes } from './register.routes.ts'
import { secondRoutes } from './second.routes.ts'
import { signInRoutes } from './sign-in.routes.ts'
import { signOutRoutes } from './sign-out.routes.ts'
import { createTrials } from './trials.routes.ts'

export function interactionRoutes(deps: InteractionDependencies): Router[] {
  const gate = createGate(deps)
  const journey = new Router({ prefix: '/interaction/:uid' })
  const attempts = createAttempts(gate, deps)
  const admission = createAdmission(gate, deps)
  const steps = { ...deps, gate, attempts, admission, tryProof: createTrials({ ...deps, gate, admission }) }
  signInRoutes(journey, steps)
  beginRoutes(journey, steps)
  const { drawRegister } = registerRoutes(journey, steps)
  const { drawSecond } = secondRoutes(journey, steps)
  lostRoutes(journey, steps)
  const { drawEnrol, goOn } = enrolRoutes(journey, steps)
  const { drawOffer } = offerRoutes(journey, { ...steps, goOn })
  const { drawConfirm } = confirmRoutes(journey, steps)
  const { drawRecoveryAsked } = recoveryAskedRoutes(journey, steps)
  const { drawConsent } = consentRoutes(journey, gate, deps)

  // No step knows another: the engine says what is needed next, and this table where that is.
  journey.get('/', async (ctx) => {
    const current = await gate.open(ctx)
    if (current.prompt === CONFIRM_PROMPT) return drawConfirm(ctx, current)
    if (current.prompt === RECOVERY_PROMPT) return drawRecoveryAsked(ctx, current)
    if (current.prompt === 'consent') return drawConsent(ctx, current)
    const begun = await attempts.findBegun(current)
    if (begun) return attempts.drawMethod(ctx, current, begun)
    const standing = await admission.findStanding(ctx, current)
    if (standing) return drawStanding(ctx, current, standing)
    if (current.prompt === 'create') return drawRegister(ctx, current)
    return attempts.drawSignIn(ctx, current)
  })
  const drawStanding = async (ctx: Context, current: Journey, standing: Standing) => {
    const { step } = standing.decision
    if (step === 'prove') return drawSecond(ctx, current, standing)
    if (step === 'refuse') return gate.finish(ctx, current, UNMET)
    if (step === 'admit' && (await drawOffer(ctx, current, standing))) return
    drawEnrol(ctx, current, standing)
  }
  // The two pages a person may choose between, while it is their turn.
  const choice = (draw: (ctx: Context, current: Journey) => void) => async (ctx: Context) => {
    const current = await gate.open(ctx)
    return SIGN_IN_PROMPTS.includes(current.prompt)
      ? draw(ctx, current)
      : seeOther(ctx, journeyPath(current.uid))
  }
  journey.get('/sign-in', choice(attempts.drawSignIn))
  journey.get('/register', choice(drawRegister))

  const house = new Router()
  signOutRoutes(house, deps)
  return [journey, house]
}

import type Router from '@koa/router'
import type { Context } from 'koa'
import { notFound } from '../http/problem.ts'
import { seeOther, sendPage } from '../http/reply.ts'
import {
  type Change,
  ChangeRefused,
  type ManageAttempt,
  type ManagePage,
  makeChange,
} from '../methods/manage.ts'
import type { SignInMethod } from '../methods/method.ts'
import type { Admission, Standing } from './admission.routes.ts'
import { SIGN_IN_PROMPTS } from './attempts.routes.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath, type Proved } from './journey.ts'
import { laterOf } from './offer.routes.ts'
import { enrolPage, managePage } from './pages.ts'

type Deps = InteractionDependencies & { gate: Gate; admission: Admission }
type Finishing = { enrolling: Enrolling; managed: Parameters<typeof makeChange>[0] }
type Enrolling = { standing: Standing; method: SignInMethod; act: string }

/** A person who must have a second factor and has none sets one up here, and can do nothing else before. */
export function enrolRoutes(router: Router, deps: Deps) {
  const { gate, admission, views, csrf, methods, scope, users, outbox, now } = deps
  const byId = new Map(methods.map((method) => [method.id, method]))

  router.post('/enrol/:id/:act', enrol)
  router.post('/second', async (ctx) => {
    const { journey } = await gate.post(ctx, SIGN_IN_PROMPTS)
    await goOn(ctx, journey)
  })

  return { drawEnrol, goOn }

  function drawEnrol(ctx: Context, journey: Journey, { decision }: Standing): void {
    const ways = decision.step === 'enrol' ? decision.methods : []
    const page = views.page(enrolPage, {
      title: 'Set up a second step',
      client: journey.client.own ? null : { name: journey.client.name, host: journey.client.host },
      csrf: csrf.token(ctx),
      ways: ways.flatMap((id) => {
        const method = byId.get(id)
        const { label, acts } = method?.enrolment ?? { acts: [] }
        return label ? [{ label, action: journeyPath(journey.uid, `/enrol/${id}/${acts[0]}`) }] : []
      }),
      goOn: decision.step === 'admit' ? journeyPath(journey.uid, '/second') : null,
      cancel: gate.cancelOf(ctx, journey),
    })
    sendPage(ctx, page)
  }

  /** Only what sets something up: whoever has proved one factor removes and renews nothing. */
  function findEnrolling(ctx: Context, standing: Standing | null): Enrolling | null {
    const { id, act } = ctx['params'] as { id: string; act: string }
    const method = byId.get(id)
    if (!method?.manage || !method.enrolment?.acts.includes(act)) throw notFound()
    const { decision, proved } = standing ?? {}
    const isAsked = decision?.step === 'enrol' && decision.methods.some((each) => each === id)
    const isOffered = decision?.step === 'admit' && proved?.isOffered && method.offer
    return standing && (isAsked || isOffered) ? { standing, method, act } : null
  }

  async function enrol(ctx: Context) {
    const { journey, fields } = await gate.post(ctx, SIGN_IN_PROMPTS)
    const enrolling = findEnrolling(ctx, await admission.findStanding(ctx, journey))
    if (!enrolling) return seeOther(ctx, journeyPath(journey.uid))
    const { standing, method, act } = enrolling
    const attempt: ManageAttempt = {
      user: standing.user,
      fields,
      action: journeyPath(journey.uid, `/enrol/${method.id}`),
      csrf: csrf.token(ctx),
      place: `interaction ${journey.uid}`,
      doneUrl: journeyPath(journey.uid),
    }
    const managed = await method.manage!.acts[act]?.(attempt)
    if (!managed) throw notFound()
    if ('page' in managed)
      return draw(ctx, journey, { ...managed.page, standing }, managed.errors.length ? 422 : 200)
    if (!('change' in managed)) throw notFound()
    try {
      await finish(ctx, journey, { enrolling, managed })
    } catch (error) {
      if (!(error instanceof ChangeRefused)) throw error
      draw(ctx, journey, { ...error.page, standing }, 422)
    }
  }

  async function finish(ctx: Context, journey: Journey, { enrolling, managed }: Finishing) {
    const change = await scope.transaction(async () => {
      const made = await makeChange(managed)
      await settle(ctx, journey, { enrolling, change: made })
      return made
    })
    await gate.forget(change.forgets ?? [])
    return change.page ? draw(ctx, journey, change.page, 200) : seeOther(ctx, journeyPath(journey.uid))
  }

  /** What was set up was shown to work, and so is proved. */
  async function settle(
    ctx: Context,
    journey: Journey,
    { enrolling, change }: { enrolling: Enrolling; change: Change },
  ) {
    const { user, proved } = enrolling.standing
    const generation = await users.advanceGeneration(user.id)
    const { id, kind } = enrolling.method
    const proofs = change.shown ? [{ method: id, kind, amr: change.shown, at: now().getTime() }] : []
    const more: Proved = { ...proved, generation, proofs: [...proved.proofs, ...proofs] }
    const letter = { to: user.email, userId: user.id, content: change.letter, occasion: gate.occasionOf(ctx) }
    if (user.emailVerified) await outbox.post(letter)
    for (const event of [change.event, ...(change.further ?? [])]) await gate.record(ctx, event, journey)
    await gate.keep(ctx, { proved: more })
  }

  /** In, once everything is set up and what was shown once was read. */
  async function goOn(ctx: Context, journey: Journey) {
    const standing = await admission.findStanding(ctx, journey)
    if (standing?.decision.step !== 'admit') return seeOther(ctx, journeyPath(journey.uid))
    const { user, proved } = standing
    await scope.transaction(() => admission.settle(ctx, journey, { user, proved, method: '' }))
  }

  /** Whoever was offered something goes on without it; whoever has to have it takes another one, or gives up. */
  function draw(
    ctx: Context,
    journey: Journey,
    { part, title, scripts, standing }: ManagePage & { standing?: Standing },
    status: number,
  ) {
    const { decision, proved } = standing ?? {}
    const hasChoice = decision?.step === 'enrol' && decision.methods.length > 1
    const page = views.page(managePage, {
      title,
      part: views.fragment(part.view, part.data),
      otherUrl: hasChoice ? journeyPath(journey.uid) : null,
      later: proved?.isOffered ? laterOf(journey, csrf.token(ctx)) : null,
      cancel: proved?.isOffered ? null : gate.cancelOf(ctx, journey),
      ...(scripts && { scripts }),
    })
    sendPage(ctx, page, status)
  }
}

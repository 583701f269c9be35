import type Router from '@koa/router'
import type { Context } from 'koa'
import type { AuditEvent } from '../audit/event.ts'
import { STAND_IN, secondFactorsAmong } from '../config/factors.ts'
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
import { proofsOf } from '../policy/session-proofs.ts'
import { combine, type Proof } from '../policy/strength.ts'
import type { User } from '../users/user.ts'
import { keepSignedIn } from './keep-signed-in.routes.ts'
import { assertWayLeft } from './last-way.ts'
import { consoleOf, wayPage } from './pages.ts'
import type { Room } from './room.routes.ts'
import type { Demand, Session, Visitor } from './session.routes.ts'

const PAGE = '/account/security'
const ACT = { page: PAGE, fresh: true } satisfies Demand

type Finishing = { method: SignInMethod; managed: Parameters<typeof makeChange>[0] }

/** The ways in of a person: each method draws its own panel and says what its acts do. */
export function waysRoutes(router: Router, room: Room) {
  const { door, views, csrf, config, scope, users, outbox, audit, methods, notices, browsers, tries } = room

  router.post(`${PAGE}/:id/:act`, act)

  return {
    async drawPanels(ctx: Context, visitor: Visitor): Promise<string[]> {
      const managed = methods.filter(({ manage }) => manage)
      return Promise.all(
        managed.map(async (method) => {
          const { view, data } = await method.manage!.panel(attemptOf(ctx, visitor, method))
          return views.fragment(view, data)
        }),
      )
    },
  }

  function attemptOf(ctx: Context, { user, session }: Visitor, { id }: SignInMethod): ManageAttempt {
    const action = `${PAGE}/${id}`
    const place = `session ${session.uid}`
    return { user, fields: () => '', action, csrf: csrf.token(ctx), place, doneUrl: PAGE }
  }

  async function act(ctx: Context) {
    const { id, act } = ctx['params'] as { id: string; act: string }
    const method = methods.find((candidate) => candidate.id === id)
    const run = method?.manage && Object.hasOwn(method.manage.acts, act) ? method.manage.acts[act] : undefined
    if (!method || !run) throw notFound()
    const visitor = await door.receive(ctx, ACT)
    if (!visitor) return
    const managed = await run({ ...attemptOf(ctx, visitor, method), fields: visitor.fields })
    if ('page' in managed) return draw(ctx, managed.page, managed.errors.length ? 422 : 200)
    if ('relabel' in managed) return relabel(ctx, managed.relabel)
    try {
      await finish(ctx, visitor, { method, managed })
    } catch (error) {
      if (!(error instanceof ChangeRefused)) throw error
      draw(ctx, error.page, 422)
    }
  }

  async function relabel(ctx: Context, make: () => Promise<AuditEvent>) {
    await scope.transaction(async () => audit.record(await make(), door.tellOf(ctx).visit))
    notices.leave(ctx, 'name')
    seeOther(ctx, PAGE)
  }

  async function finish(ctx: Context, visitor: Visitor, { method, managed }: Finishing) {
    const { user, session } = visitor
    const change = await scope.transaction(async () => {
      const generation = await users.advanceGeneration(user.id)
      const before = await users.listCredentialTypes(user.id)
      const made = await makeChange(managed)
      const left = await dropStandIns(user)
      if (before.some((type) => !left.includes(type))) await assertWayLeft(room, user, left)
      if (made.shown) lift(session, { method: method.id, kind: method.kind, amr: made.shown, at: 0 })
      await tell(ctx, visitor, made)
      await keepSignedIn(ctx, config.ISSUER, session)
      browsers.remember(ctx, { id: user.id, generation })
      return made
    })
    await tries.forget(change.forgets ?? [])
    door.forgetRecovery(ctx)
    if (change.page) return draw(ctx, change.page, 200)
    notices.leave(ctx, 'way_changed')
    seeOther(ctx, PAGE)
  }

  /** Recovery codes stand in for another second factor; with the last of those they go. The credential types that are left. */
  async function dropStandIns({ id }: User): Promise<string[]> {
    const types = await users.listCredentialTypes(id)
    if (secondFactorsAmong(types).some((factor) => factor !== STAND_IN)) return types
    await users.removeCredentials(id, STAND_IN)
    return types.filter((type) => type !== STAND_IN)
  }

  /** What was just shown counts in this session like any proof: nobody asks for it in the next moment. */
  function lift(session: Session, proof: Proof) {
    const { accepted } = config.policy.factors
    const { amr, acr } = combine([...proofsOf(session.amr ?? []), proof], accepted)
    if (acr) Object.assign(session, { amr, acr })
  }

  async function tell(ctx: Context, { user }: Visitor, { event, further = [], letter }: Change) {
    const { visit, occasion } = door.tellOf(ctx)
    for (const each of [event, ...further]) await audit.record(each, visit)
    if (user.emailVerified) await outbox.post({ to: user.email, userId: user.id, content: letter, occasion })
  }

  function draw(ctx: Context, { part, title, scripts }: ManagePage, status: number) {
    const page = views.page(wayPage, {
      title,
      console: consoleOf('Security', door.frame(ctx)),
      notice: null,
      part: views.fragment(part.view, part.data),
      ...(scripts && { scripts }),
    })
    sendPage(ctx, page, status)
  }
}

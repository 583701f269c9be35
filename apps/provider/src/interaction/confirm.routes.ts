import type Router from '@koa/router'
import type { Context } from 'koa'
import { seeOther, sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { networkOf } from '../lib/networks.ts'
import { CONFIRM_PROMPT } from '../lib/prompts.ts'
import { letterOnItsWay, tooManyTries } from '../limits/words.ts'
import { CODE_MESSAGES, codeAllowances, sendingAllowances } from '../methods/email-code/index.ts'
import type { User } from '../users/user.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { confirmPage } from './pages.ts'

type Deps = InteractionDependencies & { gate: Gate }

export function confirmRoutes(router: Router, { gate, views, csrf, scope, confirmations }: Deps) {
  router.post('/confirm/begin', send)
  router.post('/confirm', confirm)

  return { drawConfirm }

  async function drawConfirm(
    ctx: Context,
    journey: Journey,
    tried?: { errors: FieldError[]; status: number },
  ) {
    const { email } = await gate.personOf(journey)
    const errors = tried?.errors ?? []
    const page = views.page(confirmPage, {
      title: 'Confirm your address',
      client: journey.client.own ? null : { name: journey.client.name, host: journey.client.host },
      address: email,
      action: journeyPath(journey.uid, '/confirm'),
      again: journeyPath(journey.uid, '/confirm/begin'),
      csrf: csrf.token(ctx),
      errors,
      cancel: gate.cancelOf(ctx, journey),
    })
    sendPage(ctx, page, tried?.status ?? 200)
  }

  async function send(ctx: Context) {
    const { journey } = await gate.post(ctx, [CONFIRM_PROMPT])
    const user = await gate.personOf(journey)
    const allowances = sendingAllowances('confirmation', user.email, networkOf(ctx.ip))
    const taken = await gate.take(allowances)
    if (!taken.ok) return tooMany(ctx, journey, { seconds: taken.wait, message: letterOnItsWay(taken.wait) })
    const letter = {
      clientName: journey.client.own ? null : journey.client.name,
      occasion: gate.occasionOf(ctx),
    }
    await gate.attempt(allowances, () => scope.transaction(() => confirmations.send(user, letter)))
    seeOther(ctx, journeyPath(journey.uid))
  }

  async function confirm(ctx: Context) {
    const { journey, fields } = await gate.post(ctx, [CONFIRM_PROMPT])
    const user = await gate.personOf(journey)
    const allowances = codeAllowances(user.email, networkOf(ctx.ip))
    const taken = await gate.take(allowances)
    if (!taken.ok) return tooMany(ctx, journey, { seconds: taken.wait, message: tooManyTries(taken.wait) })
    const checked = await gate.attempt(allowances, () => confirmations.check(user, { code: fields('code') }))
    const done = checked.ok && (await finish(ctx, journey, { user, id: checked.id }))
    if (done) return gate.succeed(allowances)
    const reason = checked.ok ? 'over' : checked.reason
    if (reason === 'incomplete') await gate.giveBack(allowances)
    return drawConfirm(ctx, journey, {
      errors: [{ field: 'code', message: CODE_MESSAGES[reason] }],
      status: 422,
    })
  }

  function finish(ctx: Context, journey: Journey, { user, id }: { user: User; id: string }) {
    return scope.transaction(async () => {
      if (!(await confirmations.confirm(user, id))) return false
      await gate.record(ctx, { type: 'address.confirmed', userId: user.id }, journey)
      await gate.finish(ctx, journey, { [CONFIRM_PROMPT]: {} })
      return true
    })
  }

  function tooMany(
    ctx: Context,
    journey: Journey,
    { seconds, message }: { seconds: number; message: string },
  ) {
    ctx.set('Retry-After', String(seconds))
    return drawConfirm(ctx, journey, { errors: [{ field: 'code', message }], status: 429 })
  }
}

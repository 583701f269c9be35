import type Router from '@koa/router'
import type { Context } from 'koa'
import type { Config } from '../config.ts'
import type { Scope } from '../db/unit-of-work.ts'
import type { Fields } from '../http/fields.ts'
import { takeLinkToken } from '../http/link-token.ts'
import { notFound, Problem } from '../http/problem.ts'
import { seeOther, sendPage } from '../http/reply.ts'
import type { Views } from '../http/view.ts'
import { networkOf } from '../lib/networks.ts'
import { letterOnItsWay } from '../limits/words.ts'
import type { SignInMethod } from '../methods/method.ts'
import { type Attempts, nothingTyped, SIGN_IN_PROMPTS } from './attempts.routes.ts'
import type { Gate } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { linkPage } from './pages.ts'

type Deps = { gate: Gate; attempts: Attempts; scope: Scope; views: Views; config: Config }

/** Methods that send something first: sending it, and the page its link leads to. */
export function beginRoutes(router: Router, { gate, attempts, scope, views, config }: Deps): void {
  router.post('/method/:id/begin', (ctx) => begin(ctx, attempts.methodOf(ctx)))
  router.get('/link', openLink)

  async function begin(ctx: Context, method: SignInMethod) {
    const { journey, fields } = await gate.post(ctx, SIGN_IN_PROMPTS)
    if (!method.begin) throw notFound()
    const trial = attempts.attempt(ctx, journey, { id: method.id, fields })
    const allowances = method.beginAllowances?.(trial, networkOf(ctx.ip)) ?? []
    const taken = await gate.take(allowances)
    if (!taken.ok) return waitForLetter(ctx, journey, { method, fields, seconds: taken.wait })

    const start = async () => {
      const result = await method.begin!(trial)
      if (result.ok) await gate.keep(ctx, { pending: { method: method.id, begun: result.begun } })
      return result
    }
    const result = await gate.attempt(allowances, () => scope.transaction(start))
    if (result.ok) return seeOther(ctx, journeyPath(journey.uid))
    await gate.giveBack(allowances)
    const [error] = result.errors
    const tried = { method, fields, errors: result.errors, status: 422 }
    return error?.field === 'code'
      ? attempts.redraw(ctx, journey, tried)
      : attempts.drawSignIn(ctx, journey, tried)
  }

  /** Whoever pressed twice is where they wanted to be. */
  async function waitForLetter(
    ctx: Context,
    journey: Journey,
    { method, fields, seconds }: { method: SignInMethod; fields: Fields; seconds: number },
  ) {
    const { pending } = journey.progress
    const begun = pending?.method === method.id ? pending.begun : null
    const isSame = begun && (fields('again') || begun.address === fields('email').trim())
    const isWaiting = isSame && (await method.resume?.(begun))
    ctx.set('Retry-After', String(seconds))
    const error = { field: isWaiting ? 'code' : 'email', message: letterOnItsWay(seconds) }
    const tried = { method, fields, errors: [error], status: 429 }
    return isWaiting ? attempts.drawMethod(ctx, journey, tried) : attempts.drawSignIn(ctx, journey, tried)
  }

  /** Looking at a link does nothing: scanners of mail do it too. The button on this page posts it. */
  async function openLink(ctx: Context) {
    const token = takeLinkToken(ctx, config.ISSUER)
    if (token === null) return
    const journey = await gate.open(ctx).catch(elsewhere)
    const { pending } = journey.progress
    if (!pending || !SIGN_IN_PROMPTS.includes(journey.prompt)) return seeOther(ctx, journeyPath(journey.uid))
    const { action, csrf } = attempts.attempt(ctx, journey, { id: pending.method, fields: nothingTyped })
    const page = views.page(linkPage, {
      title: 'One more step',
      client: journey.client.own ? null : { name: journey.client.name },
      address: pending.begun.address,
      action,
      csrf,
      token,
    })
    sendPage(ctx, page)
  }
}

/** Whoever reads mail on another device than they sign in on. */
function elsewhere(error: unknown): never {
  if (!(error instanceof Problem) || error.status !== 400) throw error
  throw new Problem(
    422,
    'This link opens only in the browser that asked for it.',
    'Go back there and type the code from the letter. If that took too long, begin again in the app.',
    { cause: error },
  )
}

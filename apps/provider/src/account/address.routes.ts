import type Router from '@koa/router'
import type { Context } from 'koa'
import { seeOther, sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { type Email, parseEmail } from '../lib/email.ts'
import { networkOf } from '../lib/networks.ts'
import { letterOnItsWay, tooManyTries } from '../limits/words.ts'
import { badAddress, CODE_MESSAGES, codeAllowances, sendingAllowances } from '../methods/email-code/index.ts'
import { AddressTaken } from '../users/store.ts'
import { createAddressChange, type PendingAddress } from './change-address.ts'
import { keepSignedIn } from './keep-signed-in.routes.ts'
import { addressPage, codePage, consoleOf } from './pages.ts'
import type { Room } from './room.routes.ts'
import type { Demand, Visitor } from './session.routes.ts'

const ADDRESS = { page: '/account/address', fresh: true } satisfies Demand
const CONFIRM = { page: '/account/address/confirm', fresh: true } satisfies Demand
const PROFILE = '/account'

type Refusal = { error: FieldError; status: number }
type Step = { visitor: Visitor; pending: PendingAddress }

/** Changing the address of an account: name the new one, then bring the code from its mailbox. */
export function addressRoutes(router: Router, room: Room): void {
  const { door, views, csrf, config, notices, tries, browsers } = room
  const change = createAddressChange(room)

  router.get(ADDRESS.page, async (ctx) => {
    const visitor = await door.enter(ctx, ADDRESS)
    if (visitor) drawAddress(ctx, visitor)
  })
  router.post(ADDRESS.page, ask)
  router.get(CONFIRM.page, async (ctx) => {
    const visitor = await door.enter(ctx, CONFIRM)
    const pending = visitor && (await change.findPending(visitor.user))
    if (pending) return drawCode(ctx, pending)
    if (visitor) seeOther(ctx, ADDRESS.page)
  })
  router.post(CONFIRM.page, confirm)
  router.post(`${CONFIRM.page}/begin`, askAgain)

  function drawAddress(ctx: Context, { user }: Visitor, tried?: Refusal & { typed: string }) {
    const page = views.page(addressPage, {
      title: 'Change address',
      console: consoleOf('Profile', door.frame(ctx)),
      email: user.email,
      typed: tried?.typed ?? '',
      errors: tried ? [tried.error] : [],
      action: ADDRESS.page,
      csrf: csrf.token(ctx),
      backUrl: PROFILE,
    })
    sendPage(ctx, page, tried?.status ?? 200)
  }

  function drawCode(ctx: Context, { email }: PendingAddress, refusal?: Refusal) {
    const page = views.page(codePage, {
      title: 'Check your mail',
      console: consoleOf('Profile', door.frame(ctx)),
      address: email.address,
      isNew: true,
      errors: refusal ? [refusal.error] : [],
      action: CONFIRM.page,
      again: `${CONFIRM.page}/begin`,
      csrf: csrf.token(ctx),
      backUrl: PROFILE,
    })
    sendPage(ctx, page, refusal?.status ?? 200)
  }

  async function ask(ctx: Context) {
    const visitor = await door.receive(ctx, ADDRESS)
    if (!visitor) return
    const typed = visitor.fields('email')
    const refuse = (message: string, status: number) =>
      drawAddress(ctx, visitor, { typed, error: { field: 'email', message }, status })
    const email = parseEmail(typed)
    if (!email) return refuse(badAddress(typed), 422)
    if (email.canonical === parseEmail(visitor.user.email)?.canonical) return refuse(SAME, 422)
    const seconds = await send(ctx, visitor, email)
    if (seconds !== null) return refuse(letterOnItsWay(seconds), 429)
    seeOther(ctx, CONFIRM.page)
  }

  async function askAgain(ctx: Context) {
    const step = await receiveStep(ctx)
    if (!step) return
    const seconds = await send(ctx, step.visitor, step.pending.email)
    if (seconds === null) return seeOther(ctx, CONFIRM.page)
    drawCode(ctx, step.pending, { error: { field: 'code', message: letterOnItsWay(seconds) }, status: 429 })
  }

  /** Seconds to wait where there were letters enough. */
  async function send(ctx: Context, visitor: Visitor, email: Email): Promise<number | null> {
    const allowances = sendingAllowances('new_address', email.canonical, networkOf(ctx.ip))
    const taken = await tries.take(allowances)
    if (!taken.ok) ctx.set('Retry-After', String(taken.wait))
    else await tries.attempt(allowances, () => change.request(visitor, email, door.tellOf(ctx)))
    return taken.ok ? null : taken.wait
  }

  async function confirm(ctx: Context) {
    const step = await receiveStep(ctx)
    if (!step) return
    const { visitor, pending } = step
    const refuse = (message: string, status: number) =>
      drawCode(ctx, pending, { error: { field: 'code', message }, status })
    const allowances = codeAllowances(pending.email.canonical, networkOf(ctx.ip))
    const taken = await tries.take(allowances)
    if (!taken.ok) {
      ctx.set('Retry-After', String(taken.wait))
      return refuse(tooManyTries(taken.wait), 429)
    }
    const typed = step.fields('code')
    const checked = await tries.attempt(allowances, () => change.check(visitor, pending, typed))
    if (!checked.ok) {
      if (checked.reason === 'incomplete') await tries.giveBack(allowances)
      return refuse(CODE_MESSAGES[checked.reason], 422)
    }
    const done = await tries.attempt(allowances, () => finish(ctx, step))
    if (done !== 'changed') return refuse(REFUSALS[done], 422)
    await tries.succeed(allowances)
    seeOther(ctx, PROFILE)
  }

  async function finish(ctx: Context, { visitor, pending }: Step): Promise<'changed' | 'over' | 'taken'> {
    const { user, session } = visitor
    const keep = () => keepSignedIn(ctx, config.ISSUER, session)
    try {
      const generation = await change.confirm({ user, pending, told: door.tellOf(ctx), keep })
      if (generation === null) return 'over'
      browsers.remember(ctx, { id: user.id, generation })
      notices.leave(ctx, 'address_changed')
      return 'changed'
    } catch (error) {
      if (error instanceof AddressTaken) return 'taken'
      throw error
    }
  }

  async function receiveStep(ctx: Context) {
    const visitor = await door.receive(ctx, CONFIRM)
    const pending = visitor && (await change.findPending(visitor.user))
    if (visitor && !pending) seeOther(ctx, ADDRESS.page)
    return visitor && pending ? { visitor, pending, fields: visitor.fields } : null
  }
}

const SAME = 'This is your address already.'
const REFUSALS = {
  over: CODE_MESSAGES.over,
  taken: 'This address cannot be used. Choose another one.',
}

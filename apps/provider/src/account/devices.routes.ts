import type Router from '@koa/router'
import type { Context } from 'koa'
import { notFound } from '../http/problem.ts'
import { seeOther } from '../http/reply.ts'
import { dayOf } from '../lib/day.ts'
import { deviceOf } from '../mail/device.ts'
import type { TrustedDevice } from '../users/devices.store.ts'
import { devicesPart } from './pages.ts'
import type { Room } from './room.routes.ts'
import type { Demand, Visitor } from './session.routes.ts'

const PAGE = '/account/security'
const FORGET = `${PAGE}/devices/forget`
const FORGET_ALL = `${PAGE}/devices/forget-all`
/** No fresh proof: whoever forgets a device only has more asked of them. */
const ACT = { page: PAGE } satisfies Demand

/** The browsers in which a person is not asked for their second factor. */
export function devicesRoutes(router: Router, room: Room) {
  const { door, views, csrf, config, scope, devices, deviceCookie, audit, notices } = room

  router.post(FORGET, forget)
  router.post(FORGET_ALL, forgetAll)

  return {
    /** None where no device is ever trusted. */
    async drawDevices(ctx: Context, { user }: Visitor): Promise<string[]> {
      if (config.policy.factors.trusted_device === 0) return []
      const trusted = await devices.listDevices(user, deviceCookie.read(ctx))
      const form = { forgetAction: FORGET, forgetAllAction: FORGET_ALL, csrf: csrf.token(ctx) }
      return [views.fragment(devicesPart, { ...form, devices: trusted.map(shown) })]
    },
  }

  async function forget(ctx: Context) {
    const visitor = await door.receive(ctx, ACT)
    if (!visitor) return
    const { user, fields } = visitor
    const id = fields('id')
    await scope.transaction(async () => {
      if (!(await devices.forget(user.id, id))) throw notFound()
      await record(ctx, user.id, id)
    })
    notices.leave(ctx, 'device_forgotten')
    seeOther(ctx, PAGE)
  }

  async function forgetAll(ctx: Context) {
    const visitor = await door.receive(ctx, ACT)
    if (!visitor) return
    const { id: userId } = visitor.user
    await scope.transaction(async () => {
      for (const id of await devices.forgetAll(userId)) await record(ctx, userId, id)
    })
    notices.leave(ctx, 'devices_forgotten')
    seeOther(ctx, PAGE)
  }

  function record(ctx: Context, userId: string, deviceId: string) {
    return audit.record({ type: 'device.forgotten', userId, deviceId }, door.tellOf(ctx).visit)
  }
}

const shown = ({ id, userAgent, trustedAt, until, isThis }: TrustedDevice) => ({
  id,
  name: deviceOf(userAgent),
  trusted: dayOf(trustedAt),
  until: dayOf(until),
  isThis,
})

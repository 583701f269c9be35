// The development mailbox: letters as their readers would see them. Absent in production and where letters are sent.
import Router from '@koa/router'
import type { Mailbox } from '../mail/mail.ts'

type Dependencies = { mailbox: Mailbox }

const SHOWN = 100

export function mailboxRoutes({ mailbox }: Dependencies): Router {
  const router = new Router({ prefix: '/dev/mailbox' })

  router.get('.json', async (ctx) => {
    const { to } = ctx.query
    ctx.body = await mailbox.listMessages(typeof to === 'string' ? to.toLowerCase() : null, SHOWN)
  })

  return router
}

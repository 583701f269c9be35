// The development mailbox: letters as their readers would see them. Absent in production and where letters are sent.
import Router from '@koa/router'
import { sendPage } from '../http/reply.ts'
import { allowFrames, sandboxFrame } from '../http/security-headers.ts'
import { type PageData, type Views, view } from '../http/view.ts'
import type { KeptMessage } from '../mail/delivery.store.ts'
import type { Mailbox } from '../mail/mail.ts'

export const mailboxPage = view<PageData & { letters: Pick<KeptMessage, 'id' | 'at' | 'to' | 'subject'>[] }>(
  'dev/mailbox',
)
export const letterPage = view<PageData & { letter: Omit<KeptMessage, 'html' | 'at'> }>('dev/letter')

type Dependencies = { mailbox: Mailbox; views: Views }

const SHOWN = 100

export function mailboxRoutes({ mailbox, views }: Dependencies): Router {
  const router = new Router({ prefix: '/dev/mailbox' })

  router.get('/', async (ctx) => {
    const letters = await mailbox.listMessages(null, SHOWN)
    sendPage(ctx, views.page(mailboxPage, { title: 'Letters', letters, scripts: ['mailbox.js'] }))
  })

  router.get('.json', async (ctx) => {
    const { to } = ctx.query
    ctx.body = await mailbox.listMessages(typeof to === 'string' ? sayable(to.toLowerCase()) : null, SHOWN)
  })

  router.get('/:id', async (ctx) => {
    const letter = await mailbox.findMessage(sayable(ctx.params['id']!))
    if (!letter) return
    allowFrames(ctx)
    sendPage(ctx, views.page(letterPage, { title: letter.subject, letter }))
  })

  router.get('/:id/html', async (ctx) => {
    const letter = await mailbox.findMessage(sayable(ctx.params['id']!))
    if (!letter) return
    sandboxFrame(ctx)
    sendPage(ctx, letter.html.replace('<head>', OPEN_OUTSIDE))
  })

  return router
}

/** PostgreSQL knows no text with a NUL in it. */
const sayable = (text: string) => text.replaceAll('\0', '')

/** A link in a letter opens where its reader browses, not inside the letter. */
const OPEN_OUTSIDE = '<head>\n  <base target="_blank">'

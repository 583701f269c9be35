import type { Context } from 'koa'
import { type PageData, type Views, view } from './view.ts'

/** Answers with a whole page. */
export function sendPage(ctx: Context, html: string, status = 200): void {
  ctx.status = status
  ctx.type = 'html'
  ctx.body = html
}

/** 303 See Other: what follows a post is always fetched with GET (RFC 9110, section 15.4.4). */
export function seeOther(ctx: Context, to: string): void {
  ctx.redirect(to)
  ctx.status = 303
}

const onwardPage = view<PageData & { onward: string; client: { name: string } | null }>('interaction/onward')

/**
 * Moves the browser on with a page instead of a redirect. Chromium holds every redirect that follows a form post to
 * `form-action`, the app's own later hops included; the fetch that a page's refresh makes is no part of that post.
 */
export function sendOnward(
  ctx: Context,
  views: Views,
  to: { url: string; client: { name: string } | null },
): void {
  sendPage(ctx, views.page(onwardPage, { title: 'Taking you on', onward: to.url, client: to.client }))
}

// Keeps other sites from signing our visitors in or out: their forms arrive with another Origin or none.
import { settings } from '@/lib/settings'

/** Null for a request from a page of this app, otherwise the answer that refuses it. */
export function refuseForeign(request: Request): Response | null {
  if (request.headers.get('origin') === settings.appUrl) return null
  return new Response(`Please go to ${settings.appUrl} and use the button there.\n`, { status: 403 })
}

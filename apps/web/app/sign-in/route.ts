// The Sign in button: straight to the issuer, with no list of providers between, and without JavaScript.

import { cookies } from 'next/headers'
import { NextRequest, NextResponse } from 'next/server'
import NextAuth from 'next-auth'
import { authOptions } from '@/lib/auth'
import { refuseForeign } from '@/lib/same-origin'
import { settings } from '@/lib/settings'

export async function POST(request: NextRequest): Promise<Response> {
  const refusal = refuseForeign(request)
  if (refusal) return refusal

  // next-auth 4 starts a sign-in only for a POST that repeats its CSRF cookie. Neither a page nor a form can
  // set that cookie, so the token is fetched and posted from here.
  const csrf: Response = await nextAuth('csrf', {})
  const { csrfToken } = await csrf.json()
  const jar = await cookies()
  for (const cookie of new NextResponse(null, csrf).cookies.getAll()) jar.set(cookie)

  const body = new URLSearchParams({ csrfToken, callbackUrl: '/' })
  return nextAuth('signin/anteroom', { method: 'POST', body })
}

/** Runs one of next-auth's own routes within this request. */
function nextAuth(action: string, init: { method?: string; body?: URLSearchParams }): Promise<Response> {
  const request = new NextRequest(`${settings.appUrl}/api/auth/${action}`, init)
  return NextAuth(request, { params: { nextauth: action.split('/') } }, authOptions)
}

// Runs before a page renders and may set cookies, which a page may not: so tokens are refreshed here.

import { type NextRequest, NextResponse } from 'next/server'
import NextAuth from 'next-auth'
import { getToken } from 'next-auth/jwt'
import { authOptions } from '@/lib/auth'
import { isStale } from '@/lib/tokens'

// The pages that use an access token. next-auth's own routes look after themselves.
export const config = { matcher: ['/'] }

export async function proxy(request: NextRequest): Promise<NextResponse> {
  const session = await getToken({ req: request })
  if (!session || !isStale(session)) return NextResponse.next()

  // next-auth's session route does the work: it runs the `jwt` callback and writes the new cookie.
  const read = await NextAuth(request, { params: { nextauth: ['session'] } }, authOptions)
  const response = NextResponse.next()
  // Next.js shows these to the page that is about to render as well as to the browser.
  for (const cookie of new NextResponse(null, read).cookies.getAll()) response.cookies.set(cookie)
  return response
}

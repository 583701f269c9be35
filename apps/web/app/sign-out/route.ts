// The Sign out button: ends the session here and at the issuer (OpenID Connect RP-Initiated Logout 1.0).
// next-auth's signOut() alone would leave the issuer's session, and the next sign-in would ask for nothing.

import { type NextRequest, NextResponse } from 'next/server'
import { getToken } from 'next-auth/jwt'
import { discover } from '@/lib/discovery'
import { refuseForeign } from '@/lib/same-origin'
import { settings } from '@/lib/settings'
import { revoke } from '@/lib/tokens'

export async function POST(request: NextRequest): Promise<Response> {
  const refusal = refuseForeign(request)
  if (refusal) return refusal

  const session = await getToken({ req: request })
  if (session)
    await revoke(session).catch((cause) => console.warn('The refresh token was not revoked.', cause))

  const response = NextResponse.redirect(await whereTo(session?.id_token), 303)
  deleteSessionCookies(request, response)
  return response
}

/** The issuer's sign-out page, which sends the browser back to us; our own when the issuer is not there. */
async function whereTo(idToken: string | undefined): Promise<URL> {
  try {
    const url = new URL((await discover()).end_session_endpoint)
    url.searchParams.set('client_id', settings.clientId)
    url.searchParams.set('post_logout_redirect_uri', settings.appUrl)
    // Proves who is signing out, so that the issuer need not ask.
    if (idToken) url.searchParams.set('id_token_hint', idToken)
    return url
  } catch {
    return new URL('/?error=SignedOutHereOnly', settings.appUrl)
  }
}

/** All of them: a large cookie comes in numbered pieces, and one left over would spoil the next session. */
function deleteSessionCookies(request: NextRequest, response: NextResponse): void {
  for (const { name } of request.cookies.getAll()) {
    if (!name.includes('next-auth.session-token')) continue
    // A browser ignores a __Secure- cookie without the attribute, even one that deletes.
    response.cookies.set(name, '', {
      path: '/',
      maxAge: 0,
      httpOnly: true,
      secure: name.startsWith('__Secure-'),
    })
  }
}

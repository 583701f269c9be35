import type { Context } from 'koa'
import type { Provider } from 'oidc-provider'
import { keepSession } from '../artifacts/keep-session.ts'
import { setSessionCookie } from '../http/session-cookie.ts'

type Session = Awaited<ReturnType<Provider['Session']['get']>>

/**
 * The browser that changed a credential stays signed in, with a session of a new id; all others are signed out.
 * The last act of the transaction that advanced the generation: should it fail, the answer is an error and sets no cookie.
 */
export async function keepSignedIn(ctx: Context, issuer: string, session: Session): Promise<void> {
  await keepSession(session)
  setSessionCookie(ctx, issuer, session)
}

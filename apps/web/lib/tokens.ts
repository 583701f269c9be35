// The tokens of a session: kept in the encrypted cookie, refreshed in time, given back at sign-out.
import type { JWT } from 'next-auth/jwt'
import { discover } from '@/lib/discovery'
import { settings } from '@/lib/settings'

const REFRESH_BEFORE_EXPIRY_SECONDS = 30
const TIMEOUT_MS = 5000

/** The part of a token answer that this app keeps. `expires_at` is in seconds since 1970. */
interface Tokens {
  access_token?: string
  refresh_token?: string
  id_token?: string
  expires_at?: number
}

declare module 'next-auth/jwt' {
  interface JWT extends Tokens {
    /** The issuer has ended this session: only signing in again helps. */
    error?: 'sign_in_again'
  }
}

/** What we keep of a token answer. Only these four: over 4096 bytes the cookie would fall into pieces. */
export function keep({ access_token, refresh_token, id_token, expires_at }: Tokens): Tokens {
  return { access_token, refresh_token, id_token, expires_at }
}

export function isStale({ expires_at = 0, error }: JWT): boolean {
  return !error && now() >= expires_at - REFRESH_BEFORE_EXPIRY_SECONDS
}

/**
 * The session with fresh tokens.
 *
 * Only `invalid_grant` ends a session (RFC 6749 section 5.2: the refresh token is spent, expired or revoked).
 * Anything else is trouble that passes: the session stays as it is and the next read tries again.
 */
export async function refresh(session: JWT): Promise<JWT> {
  if (!session.refresh_token) return ended(session)
  try {
    const { token_endpoint } = await discover()
    const body = { grant_type: 'refresh_token', refresh_token: session.refresh_token }
    const response = await post(token_endpoint, body)
    const answer = await response.json()
    if (answer.error === 'invalid_grant') return ended(session)
    if (response.ok) {
      // An answer may leave out what has not changed, hence the old values first.
      return { ...session, ...keep({ ...session, ...answer, expires_at: now() + answer.expires_in }) }
    }
    console.warn(`Refreshing the access token failed with ${response.status} ${answer.error}.`)
  } catch (cause) {
    console.warn('The issuer cannot be reached to refresh the access token.', cause)
  }
  return session
}

/** Gives the refresh token back (RFC 7009): with offline_access it would outlive the sign-out. */
export async function revoke({ refresh_token }: JWT): Promise<void> {
  const { revocation_endpoint } = await discover()
  if (refresh_token && revocation_endpoint) await post(revocation_endpoint, { token: refresh_token })
}

/** Keeps the ID token: signing out still needs it to tell the issuer who is leaving. */
function ended({ sub, name, email, id_token }: JWT): JWT {
  return { sub, name, email, id_token, error: 'sign_in_again' }
}

/** A request of this app in its own name: client_secret_basic (RFC 6749 section 2.3.1). */
function post(endpoint: string, body: Record<string, string>): Promise<Response> {
  const credentials = [settings.clientId, settings.clientSecret].map(encodeURIComponent).join(':')
  return fetch(endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(credentials)}` },
    body: new URLSearchParams(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}

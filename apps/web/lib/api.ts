// Calls the FastAPI service for the signed-in person. Server code only: the access token stays here.
import { settings } from '@/lib/settings'

const TIMEOUT_MS = 3000

export interface Greeting {
  greeting: string
  sub: string
  client_id: string
  scope: string
}

export type ApiAnswer =
  | { kind: 'greeting'; greeting: Greeting }
  | { kind: 'refused'; status: number }
  | { kind: 'not-running' }

/** GET /me of the API. Never throws: an API that is down is something to tell people, not an error page. */
export async function fetchGreeting(accessToken: string): Promise<ApiAnswer> {
  try {
    const response = await fetch(`${settings.apiUrl}/me`, {
      headers: { authorization: `Bearer ${accessToken}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (!response.ok) return { kind: 'refused', status: response.status }
    return { kind: 'greeting', greeting: await response.json() }
  } catch {
    return { kind: 'not-running' }
  }
}

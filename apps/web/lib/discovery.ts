// Where the issuer's endpoints are. It says so itself: this app knows none of its URLs by heart.
import { settings } from '@/lib/settings'

const TIMEOUT_MS = 5000

interface Endpoints {
  token_endpoint: string
  end_session_endpoint: string
  revocation_endpoint?: string
}

/** OpenID Connect Discovery 1.0, section 4. Throws when the issuer cannot be reached. */
export async function discover(): Promise<Endpoints> {
  const response = await fetch(`${settings.issuer}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (!response.ok) throw new Error(`Discovery at ${settings.issuer} answered ${response.status}.`)
  return response.json()
}

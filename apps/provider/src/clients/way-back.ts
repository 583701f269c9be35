/** A client of the engine, as far as leading back to it needs to know. */
type Home = {
  clientId: string
  clientName?: string
  clientUri?: string
  initiateLoginUri?: string
  redirectUris?: readonly string[]
}

/** Where an app starts a sign-in: what it registered for that, or else its front page. Never an address from a request. */
export function wayBack(client: Home, ownClientId: string): { label: string; url: string } | null {
  if (client.clientId === ownClientId) return { label: 'Sign in', url: '/sign-in' }
  const [redirectUri] = client.redirectUris ?? []
  const front = redirectUri && /^https?:/.test(redirectUri) ? new URL('/', redirectUri).href : null
  const url = client.initiateLoginUri ?? client.clientUri ?? front
  return url ? { label: `Back to ${client.clientName ?? client.clientId}`, url } : null
}

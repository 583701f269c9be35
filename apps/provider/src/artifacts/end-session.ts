/** What one client was given in a session; `earlierGrants` are those that a later request for more has replaced. */
export type Authorization = { grantId?: string; earlierGrants?: string[]; persistsLogout?: boolean }

/** The engine's session, as far as ending it needs to know. */
type Authorized = { authorizations?: Record<string, Authorization> }

export type Ending = {
  revokeGrant(grantId: string): Promise<void>
  /** First-party clients are part of the house: signing out of it ends their tokens too. */
  isFirstParty(clientId: string): boolean
}

/**
 * Ends a session and every grant that lives with it (OpenID Connect RP-Initiated Logout 1.0, section 2).
 * What a person allowed a third party to do while they are away (`offline_access`) stays until they remove it.
 */
export async function endSession(
  session: Authorized & { destroy(): Promise<void> },
  ending: Ending,
): Promise<void> {
  await revokeGrants(session, ending)
  await session.destroy()
}

/** Of a session that is ending: every grant that lives with it. */
export async function revokeGrants(
  { authorizations = {} }: Authorized,
  { revokeGrant, isFirstParty }: Ending,
): Promise<void> {
  for (const [clientId, { grantId, earlierGrants = [], persistsLogout }] of Object.entries(authorizations)) {
    if (persistsLogout && !isFirstParty(clientId)) continue
    for (const id of [...earlierGrants, ...(grantId ? [grantId] : [])]) await revokeGrant(id)
  }
}

/** Where the app wants the person back (its address was checked by the engine), with the app's own state. */
export function afterSignOut(issuer: string, uri: unknown, state: unknown): string {
  if (typeof uri !== 'string') return `${issuer}/session/end/success`
  const url = new URL(uri)
  if (typeof state === 'string') url.searchParams.set('state', state)
  return url.href
}

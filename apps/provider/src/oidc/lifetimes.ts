import type { Configuration } from 'oidc-provider'
import type { Policy } from '../config.ts'
import { SECOND } from '../lib/clock.ts'
import { seconds } from '../lib/duration.ts'

/** A session nobody has signed in to holds a half-finished sign-out at most. */
const ANONYMOUS_SESSION_SECONDS = 15 * 60

/** Every lifetime the engine asks for, in seconds. Sliding ones never pass their absolute end. */
export function lifetimes(policy: Policy['lifetimes']): NonNullable<Configuration['ttl']> {
  const left = (since: number, absoluteMs: number) =>
    Math.floor(since + absoluteMs / SECOND - Date.now() / SECOND)
  const slide = (idleMs: number, absoluteMs: number, since: number | undefined) =>
    Math.max(
      1,
      Math.min(seconds(idleMs), since === undefined ? seconds(absoluteMs) : left(since, absoluteMs)),
    )
  return {
    AuthorizationCode: seconds(policy.authorization_code),
    AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? seconds(policy.access_token),
    ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? seconds(policy.access_token),
    IdToken: seconds(policy.id_token),
    RefreshToken: (_ctx, token, client) =>
      client.clientAuthMethod === 'none'
        ? slide(policy.refresh_token_public_idle, policy.refresh_token_public, token.iiat)
        : slide(policy.refresh_token_confidential_idle, policy.refresh_token_confidential, token.iiat),
    Grant: seconds(policy.grant),
    Interaction: seconds(policy.interaction),
    Session: (_ctx, session) =>
      session.accountId
        ? slide(policy.session_idle, policy.session, session.loginTs)
        : ANONYMOUS_SESSION_SECONDS,
  }
}

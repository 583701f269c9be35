import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { AuditEvent } from '../audit/event.ts'
import type { AuditLog } from '../audit/store.ts'
import { visitOf } from '../http/visit.ts'
import type { Log } from '../lib/log.ts'

/** What the engine tells in passing: failures for `answers.ts` and the log, and what the audit log wants to know. */
export function listen(provider: Provider, { audit, log }: { audit: AuditLog; log: Log }): void {
  const record = (ctx: KoaContextWithOIDC, event: AuditEvent) => {
    const visit = { ...visitOf(ctx), clientId: ctx.oidc.client?.clientId }
    audit
      .record(event, visit)
      .catch((error: unknown) => log.error({ err: error, event: event.type }, 'not written to the audit log'))
  }

  provider.on('server_error', (ctx, error) => {
    ctx.state['failure'] = error
    log.error(
      { err: error, requestId: visitOf(ctx).requestId, path: ctx.path },
      'the engine could not answer',
    )
  })
  provider.on('grant.error', (ctx, error) => {
    const detail = 'error_detail' in error ? String(error.error_detail) : ''
    const userId = ctx.oidc.refreshToken?.accountId ?? ctx.oidc.authorizationCode?.accountId
    if (/already (used|consumed)/.test(detail)) record(ctx, { type: 'token.reuse_detected', userId })
  })
  provider.on('end_session.success', (ctx) => {
    const userId = ctx.oidc.session?.accountId
    if (userId) record(ctx, { type: 'session.ended', userId })
  })
}

// The append-only log: who did what, when, from where.
import type { Scope } from '../db/scope.ts'
import type { Clock } from '../lib/clock.ts'
import { createId } from '../lib/ids.ts'
import type { AuditEvent, Visit } from './event.ts'

export type AuditLog = {
  /** Part of the transaction it is called in: the change and its trace are kept together or not at all. */
  record(event: AuditEvent, visit?: Visit): Promise<void>
}

const USER_AGENT_MAX = 300

export function createAuditLog(scope: Scope, now: Clock): AuditLog {
  return {
    async record({ type, ...details }, visit) {
      const { userId, ...data } = details as { userId?: string } & Record<string, string | string[]>
      await scope.client.auditEvent.create({
        data: {
          id: createId('evt', now()),
          type,
          userId,
          clientId: visit?.clientId,
          ip: visit?.ip,
          userAgent: visit?.userAgent.slice(0, USER_AGENT_MAX),
          requestId: visit?.requestId,
          data,
        },
      })
    },
  }
}

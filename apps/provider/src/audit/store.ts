// The append-only log: who did what, when, from where.
import type { Part } from '../db/commit.ts'
import type { UnitOfWork } from '../db/unit-of-work.ts'
import type { Clock } from '../lib/clock.ts'
import { createId } from '../lib/ids.ts'
import { shortUserAgent } from '../lib/user-agent.ts'
import type { AuditEvent, Visit } from './event.ts'

export type AuditLog = {
  /** Part of the unit of work it is called in: the change and its trace are kept together or not at all. */
  record(event: AuditEvent, visit?: Visit): Promise<void>
}

const EVENTS: Part = {
  name: 'audit_rows',
  columns: `id text, type text, user_id text, client_id text, ip text, user_agent text,
    request_id text, data text`,
  sql: (rows) => `insert into audit_events (id, type, user_id, client_id, ip, user_agent, request_id, data)
    select id, type, user_id, client_id, ip, user_agent, request_id, data::jsonb from ${rows}`,
}

export function createAuditLog(work: UnitOfWork, now: Clock): AuditLog {
  return {
    async record({ type, ...details }, visit) {
      const { userId, ...data } = details as { userId?: string } & Record<string, string | string[]>
      const id = createId('evt', now())
      await work.write(EVENTS, id, {
        id,
        type,
        user_id: userId,
        client_id: visit?.clientId,
        ip: visit?.ip,
        user_agent: visit && shortUserAgent(visit.userAgent),
        request_id: visit?.requestId,
        data: JSON.stringify(data),
      })
    },
  }
}

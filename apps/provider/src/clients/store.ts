// What people have allowed relying parties, remembered beyond the session that allowed it.
import { z } from 'zod'
import type { Scope } from '../db/unit-of-work.ts'

/** Scopes of ours, and scopes per API (by audience). */
export type Consent = { scopes: string[]; resources: Record<string, string[]> }

export type ConsentStore = {
  findConsent(userId: string, clientId: string): Promise<Consent | null>
  /** Adds to what was allowed before; nothing is ever taken away here. */
  rememberConsent(userId: string, clientId: string, allowed: Consent): Promise<void>
}

const resourcesSchema = z.record(z.string(), z.array(z.string()))

export function createConsentStore(scope: Scope): ConsentStore {
  const findConsent = async (userId: string, clientId: string): Promise<Consent | null> => {
    const row = await scope.client.consent.findUnique({ where: { userId_clientId: { userId, clientId } } })
    return row && { scopes: row.scopes, resources: resourcesSchema.parse(row.resources) }
  }
  return {
    findConsent,
    async rememberConsent(userId, clientId, allowed) {
      await scope.transaction(async () => {
        const consent = merge(await findConsent(userId, clientId), allowed)
        const where = { userId_clientId: { userId, clientId } }
        await scope.client.consent.upsert({
          where,
          create: { userId, clientId, ...consent },
          update: consent,
        })
      })
    },
  }
}

function merge(before: Consent | null, more: Consent): Consent {
  const resources = { ...before?.resources }
  for (const [audience, scopes] of Object.entries(more.resources)) {
    resources[audience] = union(resources[audience] ?? [], scopes)
  }
  return { scopes: union(before?.scopes ?? [], more.scopes), resources }
}

const union = (a: string[], b: string[]) => [...new Set([...a, ...b])]

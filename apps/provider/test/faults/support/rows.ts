// What the database has to say once all is over: nothing half-done, nothing twice.
import { ask } from './vitals.ts'

/**
 * A nonce names one authorization request: its code, or several where the request was repeated for want of an answer,
 * and all refresh tokens that descend from those. What was revoked is gone altogether, so these speak of what is there.
 */
const DESCENT = `
  with codes as (
    select payload ->> 'nonce' as nonce, consumed_at is not null as spent from artifacts where kind = 'AuthorizationCode'
  ), tokens as (
    select t.id, t.payload ->> 'nonce' as nonce, t.grant_id, t.consumed_at, t.successor,
      not exists (select from artifacts p where p.kind = 'RefreshToken' and p.successor = t.id) as first
    from artifacts t where kind = 'RefreshToken'
  )`

const FINDINGS = {
  'a code with more than one family':
    'select nonce from tokens where first group by nonce having count(*) > 1',
  'a family with more than one living token':
    'select nonce from tokens where consumed_at is null group by nonce having count(*) > 1',
  'a spent code without tokens':
    'select nonce from codes where spent and nonce not in (select nonce from tokens)',
  'tokens whose code is not spent':
    'select nonce from codes group by nonce having not bool_or(spent) and nonce in (select nonce from tokens)',
  'a spent refresh token without its successor':
    'select id from tokens where consumed_at is not null and (successor is null or successor not in (select id from tokens))',
  'a refresh token with a successor that is not spent':
    'select id from tokens where consumed_at is null and successor is not null',
  'a token whose grant is gone': `select a.id from artifacts a where a.grant_id is not null and not exists
      (select from artifacts g where g.kind = 'Grant' and g.id = a.grant_id)`,
} as const

/** What is there that must not be, by name, with how often. Empty when all is well. */
export async function findHalfDone(url: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const [name, select] of Object.entries(FINDINGS)) {
    const rows = await ask(url, `${DESCENT} ${select}`)
    if (rows.length) found[name] = rows.length
  }
  return found
}

/** Families that are still there, each with a token to go on with. */
export async function countFamilies(url: string): Promise<number> {
  const [row] = await ask<{ families: number }>(
    url,
    `${DESCENT} select count(distinct nonce)::int as families from tokens where consumed_at is null`,
  )
  return row!.families
}

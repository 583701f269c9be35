// What people were asked to prove and have not yet: mailed codes and links.
import type { Scope } from '../db/unit-of-work.ts'
import type { Clock } from '../lib/clock.ts'
import { digest } from '../lib/digest.ts'
import { createId } from '../lib/ids.ts'

/** Of a purpose and binding (an address, a person) one challenge is open at most. */
export type Challenge = {
  id: string
  purpose: string
  binding: string
  /** Belongs to whoever opened it, who parses it. */
  data: unknown
  createdAt: Date
}

export type NewChallenge = {
  purpose: string
  binding: string
  data: object
  /** Milliseconds. */
  lifetime: number
  /** The secret of a mailed link, 128 random bits or more; only its digest is kept. */
  linkSecret?: string
}

/** All times are the database's. A challenge that is over is never found. */
export type ChallengeStore = {
  /** Takes the place of an older one of the same purpose and binding, which is over. */
  openChallenge(challenge: NewChallenge): Promise<Challenge>
  findChallenge(id: string): Promise<Challenge | null>
  /** Also when it has expired; not when it is spent. */
  recallChallenge(id: string): Promise<Challenge | null>
  findChallengeOf(purpose: string, binding: string): Promise<Challenge | null>
  findChallengeByLink(purpose: string, linkSecret: string): Promise<Challenge | null>
  /** Counts one try, at once and whatever becomes of the request; null when all `allowed` ones are used up, or it is over. */
  tryChallenge(id: string, allowed: number): Promise<Challenge | null>
  /** True exactly once while it is open, also for many who ask at the same time: they wait for each other. */
  spendChallenge(id: string): Promise<boolean>
  closeChallenges(purpose: string, binding: string): Promise<void>
  /**
   * For a challenge that was handed out without being stored: true exactly once until its time is over, at once and whatever
   * becomes of the request. `binding` is its nonce, `issuedAt` the moment it was made.
   */
  spendUnstored(challenge: {
    purpose: string
    binding: string
    issuedAt: Date
    lifetime: number
  }): Promise<boolean>
}

export function createChallengeStore(scope: Scope, now: Clock): ChallengeStore {
  const query = <Result>(text: string, ...values: unknown[]) =>
    scope.client.$queryRawUnsafe<Result[]>(text, ...values)
  const findOne = async (text: string, ...values: unknown[]) =>
    (await query<Challenge>(text, ...values))[0] ?? null

  return {
    async openChallenge({ purpose, binding, data, lifetime, linkSecret }) {
      const link = linkSecret === undefined ? null : digest(linkSecret)
      const id = createId('chl', now())
      return (await findOne(OPEN, id, purpose, binding, link, JSON.stringify(data), lifetime))!
    },
    findChallenge: (id) => findOne(`${FIND} and id = $1`, id),
    recallChallenge: (id) => findOne(RECALL, id),
    findChallengeOf: (purpose, binding) =>
      findOne(`${FIND} and purpose = $1 and binding = $2`, purpose, binding),
    findChallengeByLink: (purpose, secret) =>
      findOne(`${FIND} and link_digest = $2 and purpose = $1`, purpose, digest(secret)),
    async tryChallenge(id, allowed) {
      return findOne(TRY, id, allowed)
    },
    async spendChallenge(id) {
      return (await query(SPEND, id)).length === 1
    },
    async closeChallenges(purpose, binding) {
      await query(CLOSE, purpose, binding)
    },
    async spendUnstored({ purpose, binding, issuedAt, lifetime }) {
      const id = createId('chl', now())
      return (await query(SPEND_UNSTORED, id, purpose, binding, issuedAt.getTime(), lifetime)).length === 1
    },
  }
}

const COLUMNS = 'id, purpose, binding, data, created_at as "createdAt"'
const IS_OPEN = 'spent_at is null and expires_at > now()'
const FIND = `select ${COLUMNS} from challenges where ${IS_OPEN}`
const RECALL = `select ${COLUMNS} from challenges where id = $1 and spent_at is null`
const OPEN = `
  insert into challenges (id, purpose, binding, link_digest, data, expires_at)
  values ($1, $2, $3, $4, $5::jsonb, now() + $6 * interval '1 ms')
  on conflict (purpose, binding) do update set id = excluded.id, link_digest = excluded.link_digest,
    data = excluded.data, attempts = 0, created_at = now(), expires_at = excluded.expires_at, spent_at = null
  returning ${COLUMNS}`
const TRY = `
  update challenges set attempts = attempts + 1 where id = $1 and attempts < $2 and ${IS_OPEN} returning ${COLUMNS}`
const SPEND = `update challenges set spent_at = now() where id = $1 and ${IS_OPEN} returning id`
const CLOSE = 'delete from challenges where purpose = $1 and binding = $2'
/**
 * The row stays at least as long as the challenge could be used. An instance whose clock is a minute ahead of the database
 * has its challenges refused: they would outlive their time.
 */
const SPEND_UNSTORED = `
  insert into challenges (id, purpose, binding, data, expires_at, spent_at)
  select $1, $2, $3, '{}', made_at + $5 * interval '1 ms', now()
    from (select to_timestamp($4::float8 / 1000) as made_at) as made
   where made_at + $5 * interval '1 ms' > now() and made_at < now() + interval '1 minute'
  on conflict (purpose, binding) do nothing returning id`

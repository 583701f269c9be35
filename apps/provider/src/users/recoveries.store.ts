// Recoveries of accounts whose second factors are lost: each runs for a while in which anybody it concerns can stop it.
import type { Scope } from '../db/unit-of-work.ts'
import { type Clock, DAY } from '../lib/clock.ts'
import { createId } from '../lib/ids.ts'
import { ChangedMeanwhile } from './store.ts'
import type { User } from './user.ts'

/** From where and with what it was asked for. */
export type Asked = { ip: string; userAgent: string }

export type Recovery = {
  id: string
  userId: string
  /** The person's, in which it was asked for. */
  generation: number
  asked: Asked
  askedAt: Date
  /** From here on the mailbox may finish it. */
  readyAt: Date
  /** From here on nobody can: it has to be asked for anew. */
  endsAt: Date
  isReady: boolean
}

export type NewRecovery = {
  user: User
  asked: Asked
  /** Milliseconds until it is ready. */
  wait: number
  /** Milliseconds after that in which it can be finished. */
  open: number
}

/**
 * All times are the database's. A recovery runs from when it is asked for until it is stopped, finished or too old, or a
 * credential of its person changes; one that does not run is never found.
 */
export type RecoveryStore = {
  /**
   * Part of a transaction. Null while one runs already: its clock goes on.
   * @throws ChangedMeanwhile when a credential was changed since the person was read
   */
  openRecovery(recovery: NewRecovery): Promise<Recovery | null>
  findRecovery(id: string): Promise<Recovery | null>
  findRecoveryOf(userId: string): Promise<Recovery | null>
  /** Part of a transaction. True exactly once, and never beside `spendRecovery`. */
  stopRecovery(recovery: Recovery): Promise<boolean>
  /** True exactly once and not before it is ready; of many who ask at the same time all others wait for that one. */
  spendRecovery(id: string): Promise<boolean>
  /** The ids of those whose people are to be written to: a day has passed, or the wait. */
  listDue(limit: number): Promise<string[]>
  /** True exactly once each time one is due, also for many instances at the same time. */
  takeDue(id: string): Promise<Due | null>
}

/** `isFirstReady`: nobody has been told yet that the wait is over. */
export type Due = { recovery: Recovery; isFirstReady: boolean }

const RECOVERY_PURPOSE = 'recovery'

/** `data` of such a challenge, whose binding is the person. Lengths are milliseconds. */
type Data = {
  generation: number
  wait: number
  asked: Asked
  /** How many days had passed when letters were last sent. */
  told: number
  toldReady: boolean
}

export function createRecoveryStore(scope: Scope, now: Clock): RecoveryStore {
  const query = <Result>(text: string, ...values: unknown[]) =>
    scope.client.$queryRawUnsafe<Result[]>(text, ...values)
  const findOne = async (condition: string, value: string) =>
    (await query<Recovery>(`${FIND} and ${condition} = $1`, value))[0] ?? null

  return {
    async openRecovery({ user: { id: userId, generation }, asked, wait, open }) {
      const data: Data = { generation, wait, asked, told: 0, toldReady: false }
      const id = createId('chl', now())
      const opened = await query(OPEN, id, userId, JSON.stringify(data), wait + open)
      if (opened.length === 0) return null
      if ((await query(MARK, userId, generation)).length === 0) throw new ChangedMeanwhile()
      return findOne('c.id', id)
    },
    findRecovery: (id) => findOne('c.id', id),
    findRecoveryOf: (userId) => findOne('c.binding', userId),
    async stopRecovery({ id, userId }) {
      if ((await query(STOP, id)).length === 0) return false
      await query(UNMARK, userId)
      return true
    },
    spendRecovery: async (id) => (await query(SPEND, id)).length === 1,
    listDue: async (limit) => (await query<{ id: string }>(LIST_DUE, limit)).map(({ id }) => id),
    async takeDue(id) {
      const [taken] = await query<Recovery & { isFirstReady: boolean }>(TAKE_DUE, id)
      if (!taken) return null
      const { isFirstReady, ...recovery } = taken
      return { recovery, isFirstReady }
    },
  }
}

const READY_AT = `(c.created_at + (c.data->>'wait')::float8 * interval '1 ms')`
const IS_READY = `${READY_AT} <= now()`
const DAYS = `floor(extract(epoch from now() - c.created_at) * 1000 / ${DAY})::int`
const IS_OPEN = 'c.spent_at is null and c.expires_at > now()'
const IS_DUE = `(${DAYS} > (c.data->>'told')::int or (${IS_READY} and not (c.data->>'toldReady')::boolean))`

const RUNNING = `
  challenges c join users u on u.id = c.binding
   where c.purpose = '${RECOVERY_PURPOSE}' and ${IS_OPEN} and u.disabled_at is null
     and u.generation = (c.data->>'generation')::int and u.recovery_generation = u.generation`
const COLUMNS = `c.id, c.binding as "userId", u.generation, c.data->'asked' as asked, c.created_at as "askedAt",
  ${READY_AT} as "readyAt", c.expires_at as "endsAt", ${IS_READY} as "isReady"`

const FIND = `select ${COLUMNS} from ${RUNNING}`
/** In the place of one that is over, or of an earlier generation. */
const OPEN = `
  insert into challenges as c (id, purpose, binding, data, expires_at)
  values ($1, '${RECOVERY_PURPOSE}', $2, $3::jsonb, now() + $4 * interval '1 ms')
  on conflict (purpose, binding) do update set id = excluded.id, data = excluded.data, created_at = now(),
    expires_at = excluded.expires_at, spent_at = null
  where not (${IS_OPEN}) or c.data->'generation' <> excluded.data->'generation'
  returning id`
const MARK = 'update users set recovery_generation = $2 where id = $1 and generation = $2 returning id'
const UNMARK = 'update users set recovery_generation = null where id = $1'
const STOP = `update challenges c set spent_at = now() where id = $1 and ${IS_OPEN} returning id`
const SPEND = `update challenges c set spent_at = now() where id = $1 and ${IS_OPEN} and ${IS_READY} returning id`
const LIST_DUE = `select c.id from ${RUNNING} and ${IS_DUE} order by c.id limit $1`
/** Whoever comes second waits for the first, and finds that nothing is due any more. */
const TAKE_DUE = `
  with due as (
    select ${COLUMNS}, ${DAYS} as days, ${IS_READY} and not (c.data->>'toldReady')::boolean as "isFirstReady"
      from ${RUNNING} and c.id = $1 and ${IS_DUE} for update of c)
  update challenges set data = data || jsonb_build_object('told', due.days, 'toldReady', due."isReady")
    from due where challenges.id = due.id
  returning due.id, due."userId", due.generation, due.asked, due."askedAt", due."readyAt", due."endsAt", due."isReady",
    due."isFirstReady"`

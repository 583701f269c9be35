// The passkeys of people: kept under the id their authenticator gave them, with the signature count it said last.
import type { Scope } from '../db/unit-of-work.ts'
import type { Clock } from '../lib/clock.ts'
import { createId } from '../lib/ids.ts'

export type Passkey = {
  /** `crd_…` */
  id: string
  userId: string
  /** As the authenticator named it, base64url; nobody else's has it. */
  credentialId: string
  /** Belongs to the method, which parses it. */
  data: unknown
  createdAt: Date
}

export type NewPasskey = { credentialId: string; data: object; counter: number }

/** What an accepted signature said: `counter` as signed, `data` what changes with it. */
export type PasskeyUse = { counter: number; data: object; whenBehind: 'use' | 'leave' }

export type PasskeyStore = {
  /** Oldest first. */
  listPasskeys(userId: string): Promise<Passkey[]>
  findPasskey(credentialId: string): Promise<Passkey | null>
  /** Belongs in a transaction. At most `most` of one person, and one of an id, however many are added at the same time. */
  addPasskey(userId: string, passkey: NewPasskey, most: number): Promise<Passkey | 'taken' | 'full'>
  /** `data` is laid over what is there. Null where the person has no such passkey. */
  changePasskey(userId: string, id: string, data: object): Promise<Passkey | null>
  removePasskey(userId: string, id: string): Promise<Passkey | null>
  /**
   * Notes a use, at once. The counter only ever grows: `behind` when it did not (both 0 is an authenticator that does not
   * count), and then nothing is noted where `whenBehind` says so. Null when the passkey is gone.
   */
  usePasskey(id: string, use: PasskeyUse): Promise<'ahead' | 'behind' | null>
}

export function createPasskeyStore(scope: Scope, now: Clock): PasskeyStore {
  const query = <Row = Passkey>(text: string, ...values: unknown[]) =>
    scope.client.$queryRawUnsafe<Row[]>(text, ...values)
  const findOne = async (text: string, ...values: unknown[]) => (await query(text, ...values))[0] ?? null

  return {
    listPasskeys: (userId) => query(LIST, userId),
    findPasskey: (credentialId) => findOne(FIND, credentialId),
    async addPasskey(userId, { credentialId, data, counter }, most) {
      if (!scope.inTransaction) throw new Error('a passkey is counted and added in one transaction')
      await query(LOCK, userId)
      const [counted] = await query<{ count: number }>(COUNT, userId)
      if (counted!.count >= most) return 'full'
      const id = createId('crd', now())
      return (await findOne(ADD, id, userId, credentialId, JSON.stringify(data), counter)) ?? 'taken'
    },
    changePasskey: (userId, id, data) => findOne(CHANGE, userId, id, JSON.stringify(data)),
    removePasskey: (userId, id) => findOne(REMOVE, userId, id),
    async usePasskey(id, { counter, data, whenBehind }) {
      const rows = await query<{ ahead: boolean }>(
        USE,
        id,
        counter,
        JSON.stringify(data),
        whenBehind === 'use',
      )
      const [was] = rows
      if (!was) return null
      return was.ahead ? 'ahead' : 'behind'
    },
  }
}

const COLUMNS = 'id, user_id as "userId", identifier as "credentialId", data, created_at as "createdAt"'
const LIST = `select ${COLUMNS} from credentials where user_id = $1 and type = 'passkey' order by id`
const FIND = `select ${COLUMNS} from credentials where type = 'passkey' and identifier = $1`
/** The same row that a generation is kept in: who adds and who changes wait for each other in one order. */
const LOCK = 'select 1 from users where id = $1 for no key update'
const COUNT = `select count(*)::int from credentials where user_id = $1 and type = 'passkey'`
const ADD = `
  insert into credentials (id, user_id, type, identifier, data, counter, updated_at)
  values ($1, $2, 'passkey', $3, $4::jsonb, $5::bigint, now())
  on conflict (type, identifier) do nothing returning ${COLUMNS}`
const OWN = `user_id = $1 and id = $2 and type = 'passkey'`
const CHANGE = `
  update credentials set data = data || $3::jsonb, updated_at = now() where ${OWN} returning ${COLUMNS}`
const REMOVE = `delete from credentials where ${OWN} returning ${COLUMNS}`
/** Whoever locks the row first is compared first: of two uses at once the second sees the count of the first. */
const USE = `
  with was as materialized (
    select id, counter < $2::bigint or (counter = 0 and $2::bigint = 0) as ahead
      from credentials where id = $1 and type = 'passkey' for update
  ), used as (
    update credentials set counter = greatest(counter, $2::bigint), data = data || $3::jsonb, updated_at = now()
      from was where credentials.id = was.id and (was.ahead or $4) returning 1
  )
  select ahead from was`

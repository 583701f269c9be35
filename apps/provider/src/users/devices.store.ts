// Browsers that stand in for the second factor of a person. What counts is the row, found by nothing but the browser's secret.
import type { Scope } from '../db/unit-of-work.ts'
import type { Clock } from '../lib/clock.ts'
import { digest } from '../lib/digest.ts'
import { createId } from '../lib/ids.ts'
import { shortUserAgent } from '../lib/user-agent.ts'
import type { User } from './user.ts'

/** As much of a person as a device is trusted by. */
type Owner = Pick<User, 'id' | 'generation'>

export type TrustedDevice = {
  /** `crd_…` */
  id: string
  /** As the browser called itself. */
  userAgent: string
  trustedAt: Date
  /** When it is asked for the second factor again. */
  until: Date
  /** It is the browser that holds these secrets. */
  isThis: boolean
}

export type NewTrust = {
  /** 256 random bits, new for each trust. */
  secret: string
  /** What the browser held before: a row of this person's among them is replaced. */
  held: string[]
  userAgent: string
}

/** All ages are by the database's clock; any change of a credential ends all trust of a person. */
export type DeviceStore = {
  isTrusted(owner: Owner, secrets: string[]): Promise<boolean>
  /** Written with the unit at hand; its id. Of one person 20 are kept, the newest. */
  trust(owner: Owner, trust: NewTrust): Promise<string>
  /** Those that still stand in, the newest first. */
  listDevices(owner: Owner, secrets: string[]): Promise<TrustedDevice[]>
  /** False where the person has no such device. */
  forget(userId: string, id: string): Promise<boolean>
  /** The ids of those that are forgotten. */
  forgetAll(userId: string): Promise<string[]>
}

const MOST = 20

/** @param lifetime milliseconds a device is trusted for (`policy.factors.trusted_device`); 0: none ever is */
export function createDeviceStore(scope: Scope, now: Clock, lifetime: number): DeviceStore {
  const query = <Row>(text: string, ...values: unknown[]) =>
    scope.client.$queryRawUnsafe<Row[]>(text, ...values)
  const namesOf = (owner: Owner, secrets: string[]) => secrets.map((secret) => nameOf(owner, secret))

  return {
    async isTrusted(owner, secrets) {
      if (lifetime === 0 || secrets.length === 0) return false
      const rows = await query(FIND, owner.id, lifetime, namesOf(owner, secrets))
      return rows.length > 0
    },
    async trust(owner, { secret, held, userAgent }) {
      const { id: userId, generation } = owner
      const id = createId('crd', now())
      const data = JSON.stringify({ generation, userAgent: shortUserAgent(userAgent) })
      await scope.later(async (client) => {
        await client.$executeRawUnsafe(CLEAR, userId, lifetime, namesOf(owner, held), generation, MOST - 1)
        await client.$executeRawUnsafe(ADD, id, userId, nameOf(owner, secret), data)
      })
      return id
    },
    async listDevices(owner, secrets) {
      if (lifetime === 0) return []
      const rows = await query<Row>(LIST, owner.id, lifetime, owner.generation)
      const names = namesOf(owner, secrets)
      return rows.map(({ id, identifier, userAgent, createdAt }) => ({
        id,
        userAgent,
        trustedAt: createdAt,
        until: new Date(createdAt.getTime() + lifetime),
        isThis: names.includes(identifier),
      }))
    },
    forget: async (userId, id) => (await query(FORGET, userId, id)).length === 1,
    async forgetAll(userId) {
      const rows = await query<{ id: string }>(FORGET_ALL, userId)
      return rows.map(({ id }) => id)
    },
  }
}

type Row = { id: string; identifier: string; userAgent: string; createdAt: Date }

/** Of this browser, for this person, as they are now: none of the three can be put in the place of another. */
const nameOf = ({ id, generation }: Owner, secret: string) => digest(`${secret} ${id} ${generation}`)

const OWN = `user_id = $1 and type = 'trusted-device'`
const STANDS = `${OWN} and created_at > now() - $2 * interval '1 ms'`
const FIND = `select 1 from credentials where ${STANDS} and identifier = any ($3::text[])`
const LIST = `
  select id, identifier, data->>'userAgent' as "userAgent", created_at as "createdAt" from credentials
   where ${STANDS} and (data->>'generation')::int = $3 order by id desc`
/** What this one replaces, what stands in no more, and the oldest of those there is no room for. */
const CLEAR = `
  delete from credentials where ${OWN}
     and (identifier = any ($3::text[]) or (data->>'generation')::int <> $4
       or created_at <= now() - $2 * interval '1 ms'
       or id not in (select id from credentials where ${OWN} order by id desc limit $5))`
const ADD = `
  insert into credentials (id, user_id, type, identifier, data, updated_at)
  values ($1, $2, 'trusted-device', $3, $4::jsonb, now())`
const FORGET = `delete from credentials where ${OWN} and id = $2 returning id`
const FORGET_ALL = `delete from credentials where ${OWN} returning id`

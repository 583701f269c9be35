// Two instances of the house as far as recoveries are concerned, on one real database, and time that can be let pass.
import { randomBytes } from 'node:crypto'
import { readConfig } from '../../src/config.ts'
import type { Database } from '../../src/db/database.ts'
import { parseEmail } from '../../src/lib/email.ts'
import { silentLog } from '../../src/lib/log.ts'
import { createSealer } from '../../src/lib/seal.ts'
import type { Content } from '../../src/mail/letter.ts'
import { openLetter } from '../../src/mail/outbox.store.ts'
import { openRooms, type Rooms } from '../../src/rooms.ts'
import { UNDO_PURPOSE } from '../../src/users/addresses.store.ts'
import type { User } from '../../src/users/user.ts'
import { createTestDatabase } from './database.ts'

export const TOLD = {
  visit: { ip: '192.0.2.7', userAgent: 'test', requestId: 'req_1' },
  occasion: { at: new Date(), ip: '192.0.2.7', userAgent: 'Mozilla/5.0 (asked)' },
}

export type House = Rooms

export async function openHouses() {
  const place = await createTestDatabase()
  const first = await place.open()
  const second = place.url ? await place.open() : first
  const sealer = createSealer([randomBytes(32)])
  /** `wait`: the policy's `recovery_wait`; what the preset says where it is left out. */
  const house = (database: Database, wait?: number): House => {
    const config = readConfig({ ISSUER: 'https://id.example', LOG_LEVEL: 'silent' })
    const { factors } = config.policy
    const policy = {
      ...config.policy,
      factors: { ...factors, recovery_wait: wait ?? factors.recovery_wait },
    }
    return openRooms({
      config: { ...config, policy },
      database,
      sealer,
      log: silentLog,
      now: () => new Date(),
    })
  }
  return {
    database: first,
    houses: [house(first), house(second)] as [House, House],
    withWait: (wait: number) => house(first, wait),
    drop: () => place.drop(),

    /** What was written to whom, oldest first. */
    async letters(): Promise<{ to: string; content: Content; at: Date; ip: string }[]> {
      const rows = await first.prisma.letter.findMany({ orderBy: { id: 'asc' } })
      return rows.map(({ id, sealed }) => {
        const { to, content, occasion } = openLetter(sealer, id, sealed!)
        return { to, content, at: occasion.at, ip: occasion.ip }
      })
    },
    forgetLetters: () => first.prisma.letter.deleteMany(),
  }
}

let people = 0

/** Somebody with a password, an app, a passkey and recovery codes. */
export async function newPerson({ users, scope }: House, confirmed = true): Promise<User> {
  const address = `ada${++people}@example.test`
  const user = await users.createUser({
    email: parseEmail(address)!,
    name: null,
    credential: { type: 'password', data: { hash: 'of a password' } },
    confirmed,
  })
  const types = ['totp', 'passkey', 'recovery-codes']
  await scope.client.credential.createMany({
    data: types.map((type) => ({ id: `crd_${type}_${user.id}`, userId: user.id, type, data: {} })),
  })
  return user
}

/** As if the person had left this address lately. */
export async function leaveAddress({ challenges, config }: House, user: User, address: string) {
  await challenges.openChallenge({
    purpose: UNDO_PURPOSE,
    binding: parseEmail(address)!.canonical,
    data: { userId: user.id, address, generation: user.generation },
    lifetime: config.policy.lifetimes.address_undo,
  })
}

/** Everything that was asked for was asked for so much earlier. */
export async function letTimePass({ pool }: Pick<Database, 'pool'>, ms: number): Promise<void> {
  await pool.query(
    `update challenges set created_at = created_at - $1 * interval '1 ms', expires_at = expires_at - $1 * interval '1 ms'
      where purpose like 'recovery%'`,
    [ms],
  )
}

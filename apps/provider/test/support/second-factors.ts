// Two instances of the house as far as second factors are concerned, on one real database.
import { randomBytes } from 'node:crypto'
import type { Database } from '../../src/db/database.ts'
import { createUnitOfWork } from '../../src/db/unit-of-work.ts'
import { MINUTE } from '../../src/lib/clock.ts'
import { parseEmail } from '../../src/lib/email.ts'
import { createSealer } from '../../src/lib/seal.ts'
import type { Change, Managed, ManagePage } from '../../src/methods/manage.ts'
import type { Attempt, Outcome, Person, SignInMethod } from '../../src/methods/method.ts'
import { createRecoveryCodes } from '../../src/methods/recovery-codes/codes.ts'
import { createRecoveryCodesMethod } from '../../src/methods/recovery-codes/index.ts'
import { createAuthenticators } from '../../src/methods/totp/authenticators.ts'
import { createTotpMethod } from '../../src/methods/totp/index.ts'
import type { Setup } from '../../src/methods/totp/setup.ts'
import { createChallengeStore } from '../../src/users/challenges.store.ts'
import { createCredentialStore } from '../../src/users/credentials.store.ts'
import { createUserStore } from '../../src/users/store.ts'
import type { User } from '../../src/users/user.ts'
import { createTestDatabase } from './database.ts'

export const KEY = randomBytes(32)
export const ISSUER = 'https://id.example'

/** Half a minute apart from each other, like the codes. */
export const momentOf = (step: number) => new Date(step * 30_000 + 1000)
export const FIRST_STEP = 59_000_000

export type House = ReturnType<typeof createHouse>

export async function openHouses() {
  const place = await createTestDatabase()
  const first = await place.open()
  const databases = [first, place.url ? await place.open() : first]
  const clock = { step: FIRST_STEP }
  const house = (database: Database, keys = [KEY]) => createHouse(database, clock, keys)
  return {
    clock,
    first,
    databases,
    houses: databases.map((database) => house(database)),
    house,
    async empty() {
      clock.step = FIRST_STEP
      await first.pool.query('truncate users, challenges, rate_limits cascade')
    },
    drop: () => place.drop(),
  }
}

function createHouse(database: Database, clock: { step: number }, keys: Buffer[]) {
  const scope = createUnitOfWork(database)
  const now = () => new Date()
  const sealer = createSealer(keys)
  const users = createUserStore(scope, now)
  const challenges = createChallengeStore(scope, now)
  const credentials = createCredentialStore(scope, now)
  const authenticators = createAuthenticators({
    credentials,
    challenges,
    users,
    sealer,
    now: () => momentOf(clock.step),
  })
  const recoveryCodes = createRecoveryCodes({ credentials })
  const isNeeded = ({ id }: User) => authenticators.isEnrolled(id)
  return {
    scope,
    users,
    authenticators,
    recoveryCodes,
    totp: createTotpMethod({
      authenticators,
      recoveryCodes,
      service: 'Anteroom',
      issuer: ISSUER,
      lockedFor: 15 * MINUTE,
    }),
    recovery: createRecoveryCodesMethod({ codes: recoveryCodes, isNeeded, issuer: ISSUER }),
  }
}

export const newPerson = (house: House, address = 'ada@example.test'): Promise<User> =>
  house.users.createUser({
    email: parseEmail(address)!,
    name: null,
    credential: { type: 'password', data: { hash: 'of a password' } },
    confirmed: true,
  })

export const attemptOf = (user: User | null, code: string): Attempt => ({
  user,
  fields: (name) => (name === 'code' ? code : ''),
  action: '/interaction/1/method/second',
  csrf: '',
  hint: '',
  begun: null,
  place: 'interaction 1',
  clientName: null,
  trust: null,
  occasion: { at: new Date(), ip: '192.0.2.1', userAgent: 'test' },
  linkOf: (token) => token,
})

/** The second factor alone; what it proves is claimed in a transaction, as the sign-in does. */
export async function signIn(
  house: House,
  method: SignInMethod,
  { user, code }: { user: User; code: string },
) {
  const outcome = await method.verify(attemptOf(user, code))
  return outcome.ok ? claim(house, outcome) : outcome.reason
}

export async function claim({ scope }: House, outcome: Outcome): Promise<Person | null> {
  if (!outcome.ok || !('claim' in outcome)) throw new Error(`refused: ${JSON.stringify(outcome)}`)
  return scope.transaction(outcome.claim)
}

export type Acted = { change: Change } | { page: ManagePage; errors: string[] }

/** One act in the person's account, as far as a method sees it. */
export async function act(
  house: House,
  method: SignInMethod,
  { user, name, code = '', place = 'session 1' }: { user: User; name: string; code?: string; place?: string },
): Promise<Acted> {
  const fields = (field: string) => (field === 'code' ? code : '')
  const managed: Managed = await method.manage!.acts[name]!({
    user,
    fields,
    action: '/a',
    csrf: '',
    place,
    doneUrl: '/d',
  })
  if ('page' in managed) return { ...managed, errors: managed.errors.map(({ message }) => message) }
  if (!('change' in managed)) throw new Error('nothing changes')
  const changed = await house.scope.transaction(managed.change)
  return 'event' in changed
    ? { change: changed }
    : { ...changed, errors: changed.errors.map(({ message }) => message) }
}

export function changed(acted: Acted): Change {
  if (!('change' in acted)) throw new Error(`no change: ${acted.errors.join(' ')}`)
  return acted.change
}

/** Base32; what the page tells the app. */
export function secretOn(acted: Acted): string {
  if (!('page' in acted)) throw new Error('no page')
  const { setup } = acted.page.part.data as { setup: Setup | null }
  if (!setup) throw new Error('a page without the secret')
  return setup.key.replaceAll(' ', '')
}

export function codesOn(page: ManagePage | undefined): string[] {
  if (!page) throw new Error('no page')
  return (page.part.data as { codes: string[] }).codes
}

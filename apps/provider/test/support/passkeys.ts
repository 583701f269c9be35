// A house as far as passkeys are concerned: instances of the method on one database, and people who have some.
import { generateKeySync } from 'node:crypto'
import type { AuditEvent } from '../../src/audit/event.ts'
import { readConfig } from '../../src/config.ts'
import type { Database } from '../../src/db/database.ts'
import { createUnitOfWork } from '../../src/db/unit-of-work.ts'
import { parseEmail } from '../../src/lib/email.ts'
import type { Letter } from '../../src/mail/letter.ts'
import type { Change, ManageAttempt } from '../../src/methods/manage.ts'
import type { Attempt } from '../../src/methods/method.ts'
import { createPasskeyMethod } from '../../src/methods/passkey/index.ts'
import { createChallengeStore } from '../../src/users/challenges.store.ts'
import { createPasskeyStore } from '../../src/users/passkeys.store.ts'
import { createUserStore } from '../../src/users/store.ts'
import type { User } from '../../src/users/user.ts'
import {
  type Algorithm,
  type Answer,
  createAuthenticator,
  type Device,
  type HeldPasskey,
  type Lie,
} from './authenticator.ts'

export const ISSUER = 'https://id.example'
const KEYS = [generateKeySync('hmac', { length: 256 }), generateKeySync('hmac', { length: 256 })]

type Passkeys = ReturnType<typeof readConfig>['policy']['passkeys']

export type Options = { challenge: string; rpId?: string; rp?: { id?: string }; user?: { id: string } }

/** One instance. `heard` is what it told the log and the post office. */
export function passkeyInstance(
  database: Database,
  more: { now?: () => Date; rules?: Partial<Passkeys> } = {},
) {
  const { now = () => new Date(), rules = {} } = more
  const scope = createUnitOfWork(database)
  const events: AuditEvent[] = []
  const letters: Letter[] = []
  const { policy } = readConfig({})
  const users = createUserStore(scope, now)
  const passkeys = createPasskeyStore(scope, now)
  const method = createPasskeyMethod({
    users,
    passkeys,
    challenges: createChallengeStore(scope, now),
    audit: { record: async (event) => void events.push(event) },
    outbox: { post: async (letter) => void letters.push(letter) },
    challengeKeys: KEYS,
    handleKey: KEYS[0]!,
    policy: { ...policy, passkeys: { ...policy.passkeys, ...rules } },
    service: 'Anteroom',
    issuer: ISSUER,
    now,
  })
  return { scope, users, passkeys, method, events, letters }
}

export type Instance = ReturnType<typeof passkeyInstance>

export const attempt = (typed: Record<string, string>, more: Partial<Attempt> = {}): Attempt => ({
  user: null,
  fields: (name) => typed[name] ?? '',
  action: '/interaction/1/method/passkey',
  csrf: 'csrf',
  hint: '',
  begun: null,
  place: 'interaction 1',
  clientName: null,
  trust: null,
  occasion: { at: new Date(), ip: '192.0.2.1', userAgent: 'test' },
  linkOf: () => '',
  ...more,
})

export const manageAttempt = (
  user: User,
  typed: Record<string, string> = {},
  place = 'session 1',
): ManageAttempt => ({
  user,
  fields: (name) => typed[name] ?? '',
  action: '/account/security/passkey',
  csrf: 'csrf',
  place,
  doneUrl: '/account/security',
})

/** What the page gives to the browser. */
export const optionsOf = ({ data }: { data: object }): Options =>
  JSON.parse((data as { options: string }).options) as Options

/** What the sign-in page asks of a passkey, or the page of the second factor. */
export const asked = ({ method }: Instance, more: Partial<Attempt> = {}): Options =>
  optionsOf(method.show(attempt({}, more), []))

export const bring = ({ method }: Instance, answer: Answer | string, more: Partial<Attempt> = {}) =>
  method.verify(attempt({ response: typeof answer === 'string' ? answer : JSON.stringify(answer) }, more))

let people = 0
export const newPerson = ({ users }: Instance): Promise<User> =>
  users.createUser({
    email: parseEmail(`person${++people}@example.test`)!,
    name: 'Ada',
    credential: null,
    confirmed: true,
  })

/** What `add` asks of the authenticator. */
export async function askedToCreate(instance: Instance, user: User, place?: string): Promise<Options> {
  const managed = await instance.method.manage!.acts['add']!(manageAttempt(user, {}, place))
  if (!('page' in managed)) throw new Error('no page')
  return optionsOf(managed.page.part)
}

/** Runs an act as its entrance does; what cannot be done comes back as its first message. */
export async function act(
  { scope, method }: Instance,
  name: string,
  attempt: ManageAttempt,
): Promise<Change | AuditEvent | string> {
  const managed = await method.manage!.acts[name]!(attempt)
  if ('relabel' in managed) return scope.transaction(managed.relabel)
  const done = 'change' in managed ? await scope.transaction(managed.change) : managed
  return 'errors' in done ? (done.errors[0]?.message ?? 'a page') : done
}

type Making = { device?: Partial<Device>; algorithm?: Algorithm; lie?: Lie; place?: string }

/** A person adds a passkey; what came of it, and what their device holds. */
export async function enrol(instance: Instance, user: User, making: Making = {}) {
  const { device, algorithm, lie, place } = making
  const options = await askedToCreate(instance, user, place)
  const authenticator = createAuthenticator(device)
  const { held, answer } = authenticator.create(options, algorithm, lie)
  const response = JSON.stringify(answer)
  return {
    held,
    answer,
    authenticator,
    outcome: await act(instance, 'add', manageAttempt(user, { response }, place)),
  }
}

export async function personWithPasskey(instance: Instance, making: Making = {}) {
  const user = await newPerson(instance)
  const { held, authenticator, outcome } = await enrol(instance, user, making)
  if (typeof outcome === 'string') throw new Error(outcome)
  return { user: (await instance.users.findUser(user.id))!, held, authenticator }
}

export type Owner = { user: User; held: HeldPasskey; authenticator: ReturnType<typeof createAuthenticator> }

import { generateKeyPairSync, generateKeySync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Algorithm,
  type Answer,
  base64url,
  createAuthenticator,
  type Draft,
  type Lie,
} from '../../../test/support/authenticator.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import {
  asked,
  attempt,
  bring,
  type Instance,
  newPerson,
  type Owner,
  passkeyInstance,
  personWithPasskey,
} from '../../../test/support/passkeys.ts'
import type { Database } from '../../db/database.ts'
import { MINUTE } from '../../lib/clock.ts'
import { createChallengeStore } from '../../users/challenges.store.ts'
import type { Attempt } from '../method.ts'
import { createCeremonies } from './ceremonies.ts'

let testDatabase: TestDatabase
let databases: Database[]
let house: Instance
let other: Instance
let ada: Owner

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  const first = await testDatabase.open()
  databases = [first, testDatabase.url ? await testDatabase.open() : first]
  house = passkeyInstance(databases[0]!)
  other = passkeyInstance(databases[1]!)
  ada = await personWithPasskey(house)
})
afterAll(() => testDatabase.drop())

const rowOf = async ({ held }: Owner) =>
  databases[0]!.prisma.credential.findFirst({ where: { identifier: base64url(held.id) } })
const asSecond = (owner: Owner): Partial<Attempt> => ({ user: owner.user })

const signIn = (
  owner: Owner,
  { lie, more, at = house }: { lie?: Lie; more?: Partial<Attempt>; at?: Instance } = {},
) => bring(at, owner.authenticator.get(asked(at, more), owner.held, lie), more)

describe('a person with a passkey', () => {
  test.each<[Algorithm]>([['ES256'], ['EdDSA'], ['RS256']])(
    'signs in with it alone: %s',
    async (algorithm) => {
      const owner = await personWithPasskey(house, { algorithm })
      expect(await signIn(owner)).toMatchObject({ ok: true, user: { id: owner.user.id } })
      expect(await rowOf(owner)).toMatchObject({ counter: 1n, data: { lastUsedAt: expect.any(String) } })
    },
  )

  test('T059: has used two factors where the device looked who it is, and one where it felt a touch', async () => {
    expect(await signIn(ada)).toMatchObject({ ok: true, amr: ['swk', 'user', 'mfa'] })
    expect(await signIn(ada, { more: asSecond(ada) })).toMatchObject({ ok: true, amr: ['swk', 'user'] })
    const touched: Lie = { draft: ({ authData }) => Object.assign(authData.flags, { uv: false }) }
    expect(await signIn(ada, { lie: touched, more: asSecond(ada) })).toMatchObject({ ok: true, amr: ['swk'] })
    expect(await signIn(ada, { lie: touched })).toMatchObject({ ok: false, reason: 'wrong' })
  })

  test('is told apart by whether the key can leave the device', async () => {
    const owner = await personWithPasskey(house, { device: { synced: false } })
    expect(await signIn(owner)).toMatchObject({ ok: true, amr: ['hwk', 'user', 'mfa'] })
  })

  test('is enrolled for a second factor, and whoever has none is not', async () => {
    expect(await house.method.isEnrolled!(ada.user)).toBe(true)
    expect(await house.method.isEnrolled!(await newPerson(house))).toBe(false)
  })

  test('may leave out the handle as a second factor, not alone', async () => {
    const silent: Lie = { draft: (draft) => Object.assign(draft, { userHandle: null }) }
    expect(await signIn(ada, { lie: silent, more: asSecond(ada) })).toMatchObject({ ok: true })
    expect(await signIn(ada, { lie: silent })).toMatchObject({ ok: false })
  })

  test('may sync it to a cloud later on', async () => {
    const unsynced: Lie = { draft: ({ authData }) => Object.assign(authData.flags, { bs: false }) }
    expect(await signIn(ada, { lie: unsynced })).toMatchObject({ ok: true })
    expect(await rowOf(ada)).toMatchObject({ data: { backedUp: false } })
  })

  test('who was disabled meanwhile does not get in', async () => {
    const owner = await personWithPasskey(house)
    const where = { id: owner.user.id }
    await databases[0]!.prisma.user.update({ where, data: { disabledAt: new Date() } })
    expect(await signIn(owner)).toMatchObject({ ok: false, reason: 'wrong' })
  })
})

describe('T057: what the page asks', () => {
  test('is the same for everybody: no names, no ids, the one domain', () => {
    const { challenge, ...rest } = asked(house)
    expect(Buffer.from(challenge, 'base64url').length).toBeGreaterThanOrEqual(32)
    expect(rest).toEqual({
      rpId: 'id.example',
      timeout: 5 * MINUTE,
      userVerification: 'required',
      allowCredentials: [],
    })
    const known = asked(house, { hint: ada.user.email })
    expect({ ...known, challenge: '' }).toEqual({ ...rest, challenge: '' })
  })

  test('is preferred, not required, of a second factor, and tells no ids either', () => {
    expect(asked(house, asSecond(ada))).toMatchObject({ userVerification: 'preferred', allowCredentials: [] })
  })

  test('is never the same challenge twice, and writes nothing', async () => {
    const before = await databases[0]!.prisma.challenge.count()
    const challenges = Array.from({ length: 100 }, () => asked(house).challenge)
    expect(new Set(challenges).size).toBe(100)
    expect(await databases[0]!.prisma.challenge.count()).toBe(before)
  })
})

describe('a challenge', () => {
  test('is good once', async () => {
    const answer = ada.authenticator.get(asked(house), ada.held)
    expect(await bring(house, answer)).toMatchObject({ ok: true })
    expect(await bring(other, answer)).toMatchObject({ ok: false, reason: 'replayed' })
  })

  test('is good once of many at the same time on two instances', async () => {
    const options = asked(house)
    const answers = Array.from({ length: 20 }, () => ada.authenticator.get(options, ada.held))
    const outcomes = await Promise.all(
      answers.map((answer, index) => bring([house, other][index % 2]!, answer)),
    )
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1)
  })

  test('is spent by a wrong answer as well', async () => {
    const options = asked(house)
    const forged = ada.authenticator.get(options, ada.held, {
      answer: ({ response }) => Object.assign(response, { userHandle: base64url('x') }),
    })
    expect(await bring(house, forged)).toMatchObject({ reason: 'wrong' })
    expect(await bring(house, ada.authenticator.get(options, ada.held))).toMatchObject({ reason: 'replayed' })
  })

  test('is over after five minutes, also for an instance whose clock is behind', async () => {
    const answer = ada.authenticator.get(
      asked(passkeyInstance(databases[0]!, { now: minutesAgo(5) })),
      ada.held,
    )
    expect(await bring(house, answer)).toMatchObject({ reason: 'expired' })
    const behind = passkeyInstance(databases[0]!, { now: minutesAgo(4) })
    expect((await bring(behind, answer)).ok).toBe(false)
    const early = ada.authenticator.get(
      asked(passkeyInstance(databases[0]!, { now: minutesAgo(-2) })),
      ada.held,
    )
    expect((await bring(house, early)).ok).toBe(false)
  })

  test('belongs to its journey, its step and its person', async () => {
    const answer = (more?: Partial<Attempt>) => ada.authenticator.get(asked(house, more), ada.held)
    expect(await bring(house, answer(), { place: 'interaction 2' })).toMatchObject({ reason: 'wrong' })
    expect(await bring(house, answer(), asSecond(ada))).toMatchObject({ reason: 'wrong' })
    expect(await bring(house, answer(asSecond(ada)))).toMatchObject({ reason: 'wrong' })
    const eve = await newPerson(house)
    expect(await bring(house, answer(asSecond(ada)), { user: eve })).toMatchObject({ reason: 'wrong' })
  })

  test('belongs to its ceremony, and nobody else can make one', async () => {
    const about = { place: 'interaction 1', about: '' }
    const [own, strange] = [1, 2].map(() =>
      createCeremonies({
        challenges: createChallengeStore(house.scope, () => new Date()),
        keys: [generateKeySync('hmac', { length: 256 })],
        now: () => new Date(),
        lifetime: MINUTE,
      }),
    )
    const challenge = own!.issue({ name: 'second_factor', ...about })
    expect(await own!.redeem({ name: 'sign_in', ...about }, challenge)).toBe('wrong')
    expect(await strange!.redeem({ name: 'second_factor', ...about }, challenge)).toBe('wrong')
    expect(await own!.redeem({ name: 'second_factor', ...about }, challenge)).toBe('fresh')
  })

  const minutesAgo = (minutes: number) => () => new Date(Date.now() - minutes * MINUTE)
})

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const draft = (change: (draft: Draft) => unknown): Lie => ({ draft: (it) => void change(it) })
const answer = (change: (response: Answer['response'], answer: Answer) => unknown): Lie => ({
  answer: (it) => void change(it.response, it),
})
const cutOff = (text: unknown, bytes: number) =>
  base64url(Buffer.from(String(text), 'base64url').subarray(0, -bytes))
const origins = [
  'https://login.id.example',
  'https://example',
  'https://id.example:8443',
  'http://id.example',
  'https://ID.example',
  'https://id.example/',
  'https://id.example.evil.example',
  'null',
  '',
]

const respelled = (der: Buffer) => Buffer.concat([Buffer.from([0xb0]), der.subarray(1)])

const LIES: [string, Lie][] = [
  ['an id that is not rawId', draft((it) => (it.id = base64url(randomBytes(32))))],
  ['an id nobody has', draft((it) => (it.id = it.rawId = base64url(randomBytes(32))))],
  ['an id in another spelling', draft((it) => (it.id = it.rawId = `${it.id}=`))],
  ['an empty id', draft((it) => (it.id = it.rawId = ''))],
  ['an id of 16 kB', draft((it) => (it.id = it.rawId = 'A'.repeat(16 * 1024)))],
  ['another type of credential', draft((it) => (it.type = 'password'))],
  ['the answer to a registration', draft((it) => (it.client['type'] = 'webauthn.create'))],
  ['no type', draft((it) => delete it.client['type'])],
  ['a challenge of its own', draft((it) => (it.client['challenge'] = base64url(randomBytes(70))))],
  ['a short challenge', draft((it) => (it.client['challenge'] = base64url('x')))],
  ['a challenge in another spelling', draft((it) => (it.client['challenge'] += '='))],
  ['no challenge', draft((it) => delete it.client['challenge'])],
  ['a challenge that is a list', draft((it) => (it.client['challenge'] = [it.client['challenge']]))],
  ...origins.map((origin): [string, Lie] => [
    `the origin “${origin}”`,
    draft((it) => (it.client['origin'] = origin)),
  ]),
  ['two origins', draft((it) => (it.client['origin'] = ['https://id.example', 'https://evil.example']))],
  ['an answer from inside a frame', draft((it) => (it.client['crossOrigin'] = true))],
  ['a frame that is no boolean', draft((it) => (it.client['crossOrigin'] = 'true'))],
  ['a page around it', draft((it) => (it.client['topOrigin'] = 'https://evil.example'))],
  ['a token binding nobody knows', draft((it) => (it.client['tokenBinding'] = { status: 'broken' }))],
  ['another domain', draft((it) => (it.authData.rpId = 'evil.example'))],
  ['the parent domain', draft((it) => (it.authData.rpId = 'example'))],
  ['nobody there', draft((it) => (it.authData.flags.up = false))],
  ['nobody there, yet verified', draft((it) => Object.assign(it.authData.flags, { up: false, uv: true }))],
  ['nobody verified', draft((it) => (it.authData.flags.uv = false))],
  [
    'a key that stays put all of a sudden',
    draft((it) => Object.assign(it.authData.flags, { be: false, bs: false })),
  ],
  ['a backup of what cannot be backed up', draft((it) => (it.authData.flags.be = false))],
  ['a signature by another key', draft((it) => (it.signer = stranger))],
  ['a handle of somebody else', draft((it) => (it.userHandle = base64url(randomBytes(32))))],
  ['no handle', draft((it) => (it.userHandle = null))],
  ['bytes left over', draft((it) => (it.authData.extra = Buffer.from([0])))],
  ['extensions announced and absent', draft((it) => (it.authData.flags.ed = true))],
  [
    'extensions cut off',
    draft((it) =>
      Object.assign(it.authData, {
        extra: Buffer.from([0xa1, 0x64]),
        flags: { ...it.authData.flags, ed: true },
      }),
    ),
  ],
  ['a key announced and absent', draft((it) => Object.assign(it.authData.flags, { at: true }))],
  [
    'authenticator data cut off',
    answer((it) => (it['authenticatorData'] = cutOff(it['authenticatorData'], 1))),
  ],
  ['hardly any authenticator data', answer((it) => (it['authenticatorData'] = base64url('x')))],
  ['no authenticator data', answer((it) => delete it['authenticatorData'])],
  [
    'a signature in another spelling',
    answer(
      (it) => (it['signature'] = base64url(respelled(Buffer.from(String(it['signature']), 'base64url')))),
    ),
  ],
  ['a signature cut off', answer((it) => (it['signature'] = cutOff(it['signature'], 1)))],
  ['an empty signature', answer((it) => (it['signature'] = ''))],
  ['client data that is no JSON', answer((it) => (it['clientDataJSON'] = base64url('{')))],
  ['client data that is null', answer((it) => (it['clientDataJSON'] = base64url('null')))],
  ['client data of 15 kB', answer((it) => (it['clientDataJSON'] = 'A'.repeat(15_000)))],
  ['no client data', answer((it) => delete it['clientDataJSON'])],
  ['no response', answer((_, it) => Object.assign(it, { response: null }))],
  ['a list for a response', answer((_, it) => Object.assign(it, { response: [] }))],
]

describe('T054: a forged answer', () => {
  test.each(LIES)('is refused, and nothing changes: %s', async (_, lie) => {
    const owner = await personWithPasskey(house)
    const before = await rowOf(owner)
    const outcome = await signIn(owner, { lie })
    expect(outcome).toMatchObject({ ok: false, reason: 'wrong', errors: [{ field: 'passkey' }] })
    expect(await rowOf(owner)).toEqual(before)
    expect(await signIn(owner)).toMatchObject({ ok: true })
  })

  test.each(['', '{', '[]', 'null', '1', '{"__proto__":{}}', '['.repeat(8000), '\u0001'])(
    'is refused that is none: %s',
    async (posted) => {
      const reason = posted === '' ? 'incomplete' : 'wrong'
      expect(await bring(house, posted)).toMatchObject({ ok: false, reason })
    },
  )

  test('is refused with another person’s passkey as the second factor', async () => {
    const eve = await personWithPasskey(house)
    const before = await rowOf(eve)
    expect(await signIn(eve, { more: asSecond(ada) })).toMatchObject({ ok: false, reason: 'wrong' })
    expect(await rowOf(eve)).toEqual(before)
  })

  test('is refused with another person’s key under the owner’s id, and the other way round', async () => {
    const eve = await personWithPasskey(house)
    const swapped = { ...eve.held, id: ada.held.id, handle: ada.held.handle }
    expect(await signIn({ ...eve, held: swapped })).toMatchObject({ ok: false, reason: 'wrong' })
    expect(await signIn({ ...eve, held: { ...eve.held, handle: ada.held.handle } })).toMatchObject({
      ok: false,
    })
  })

  test('is refused whichever byte of it is changed', async () => {
    const owner = await personWithPasskey(house, { device: { counts: false } })
    const FIELDS = ['clientDataJSON', 'authenticatorData', 'signature', 'userHandle'] as const
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...FIELDS),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (field, at, flip) => {
          const flipped = answer((it) => {
            const bytes = Buffer.from(String(it[field]), 'base64url')
            bytes[at % bytes.length]! ^= flip
            it[field] = base64url(bytes)
          })
          expect((await signIn(owner, { lie: flipped })).ok).toBe(false)
        },
      ),
      { numRuns: 300 },
    )
    expect((await rowOf(owner))?.data).toMatchObject({ lastUsedAt: null })
  }, 120_000)
})

describe('T055: a signature count that does not grow', () => {
  const at = (counter: number) => draft((it) => (it.authData.counter = counter))

  test('is told to the log and to the owner, who gets in', async () => {
    const owner = await personWithPasskey(house)
    expect(await signIn(owner, { lie: at(10) })).toMatchObject({ ok: true })
    for (const counter of [9, 10, 0]) {
      house.events.length = house.letters.length = 0
      expect(await signIn(owner, { lie: at(counter) })).toMatchObject({ ok: true })
      expect(house.events).toMatchObject([
        { type: 'passkey.clone_suspected', userId: owner.user.id, admitted: 'yes' },
      ])
      expect(house.letters).toMatchObject([{ to: owner.user.email, content: { kind: 'passkey_copied' } }])
      expect(await rowOf(owner)).toMatchObject({ counter: 10n })
    }
    house.events.length = 0
    expect(await signIn(owner, { lie: at(11) })).toMatchObject({ ok: true })
    expect(house.events).toEqual([])
  })

  test('is refused where the policy says so, and the last use stays what it was', async () => {
    const strict = passkeyInstance(databases[0]!, { rules: { when_copied: 'refuse' } })
    const owner = await personWithPasskey(strict)
    expect(await signIn(owner, { lie: at(10), at: strict })).toMatchObject({ ok: true })
    const before = await rowOf(owner)
    expect(await signIn(owner, { lie: at(10), at: strict })).toMatchObject({ ok: false, reason: 'wrong' })
    expect(strict.events).toMatchObject([{ type: 'passkey.clone_suspected', admitted: 'no' }])
    expect(await rowOf(owner)).toEqual(before)
  })

  test('is no sign of anything where the authenticator does not count', async () => {
    const owner = await personWithPasskey(house, { device: { counts: false } })
    house.events.length = 0
    for (let uses = 0; uses < 3; uses++) expect(await signIn(owner)).toMatchObject({ ok: true })
    expect(house.events).toEqual([])
  })

  test('is noticed of two copies that say the same at the same time on two instances', async () => {
    const owner = await personWithPasskey(house)
    house.events.length = other.events.length = 0
    const twins = await Promise.all(
      [house, other].map((instance) => signIn(owner, { lie: at(7), at: instance })),
    )
    expect(twins.every(({ ok }) => ok)).toBe(true)
    expect([...house.events, ...other.events]).toHaveLength(1)
    expect(await rowOf(owner)).toMatchObject({ counter: 7n })
  })
})

test('a passkey that is removed while it signs lets nobody in', async () => {
  const owner = await personWithPasskey(house)
  const row = await rowOf(owner)
  const { passkeys } = house
  const { findPasskey } = passkeys
  passkeys.findPasskey = async (id) => {
    const found = await findPasskey(id)
    await passkeys.removePasskey(owner.user.id, row!.id)
    return found
  }
  try {
    expect(await signIn(owner)).toMatchObject({ ok: false, reason: 'wrong' })
  } finally {
    passkeys.findPasskey = findPasskey
  }
})

test('a domain above the issuer’s, and further origins, are as the policy says', async () => {
  const wide = passkeyInstance(databases[0]!, {
    rules: { rp_id: 'example', origins: ['https://shop.example'] },
  })
  const owner = await personWithPasskey(wide)
  const shop = { ...owner, authenticator: createAuthenticator({ origin: 'https://shop.example' }) }
  expect(await signIn(shop, { at: wide })).toMatchObject({ ok: true })
  const evil = { ...owner, authenticator: createAuthenticator({ origin: 'https://evil.example' }) }
  expect(await signIn(evil, { at: wide })).toMatchObject({ ok: false })
})

test('tries are counted by network', () => {
  expect(house.method.allowances(attempt({}), '192.0.2.1')).toEqual([
    { limit: 'passkey_per_ip', key: '192.0.2.1' },
  ])
})

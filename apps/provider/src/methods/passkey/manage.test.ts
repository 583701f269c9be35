import { createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  base64url,
  cbor,
  coseKey,
  createAuthenticator,
  type Draft,
  generateKeys,
  type Lie,
} from '../../../test/support/authenticator.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import {
  act,
  askedToCreate,
  attempt,
  enrol,
  type Instance,
  manageAttempt,
  newPerson,
  passkeyInstance,
  personWithPasskey,
} from '../../../test/support/passkeys.ts'
import type { Database } from '../../db/database.ts'
import type { User } from '../../users/user.ts'
import { nameOf } from './data.ts'

let testDatabase: TestDatabase
let databases: Database[]
let house: Instance
let other: Instance

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  const first = await testDatabase.open()
  databases = [first, testDatabase.url ? await testDatabase.open() : first]
  house = passkeyInstance(databases[0]!)
  other = passkeyInstance(databases[1]!)
})
afterAll(() => testDatabase.drop())

const count = ({ id }: User) =>
  databases[0]!.prisma.credential.count({ where: { userId: id, type: 'passkey' } })
const panelOf = async (user: User) =>
  (await house.method.manage!.panel(manageAttempt(user))).data as {
    passkeys: { id: string; name: string; used: unknown }[]
    isFull: boolean
    accepted: string
  }
const ADDED = { event: { type: 'passkey.added' }, letter: { kind: 'factor_added' } }
const NOT_ADDED = expect.stringContaining('could not be added')

describe('a person', () => {
  test('adds a passkey, and the owner is told', async () => {
    const user = await newPerson(house)
    const { outcome } = await enrol(house, user)
    expect(outcome).toMatchObject({
      event: { type: 'passkey.added', userId: user.id, name: 'Passkey' },
      letter: { kind: 'factor_added', factor: 'Passkey', forgotUrl: 'https://id.example/forgot' },
    })
  })

  test('reads where each one lives, and when it was used', async () => {
    const { user } = await personWithPasskey(house, {
      device: { aaguid: 'fbfc3007-154e-4ecc-8c0b-6e020557d7bd' },
    })
    expect((await panelOf(user)).passkeys).toMatchObject([{ name: 'iCloud Keychain', used: null }])
  })

  test('calls one something else, and by an empty name what it was called', async () => {
    const { user } = await personWithPasskey(house)
    const [passkey] = (await panelOf(user)).passkeys
    const rename = (name: string) => act(house, 'rename', manageAttempt(user, { id: passkey!.id, name }))
    expect(await rename('  My\n key \u202e ')).toMatchObject({ type: 'passkey.renamed', name: 'My key' })
    expect((await panelOf(user)).passkeys).toMatchObject([{ name: 'My key' }])
    expect(await rename(' ')).toMatchObject({ name: 'Passkey' })
    expect(nameOf('x'.repeat(1000), '')).toHaveLength(60)
  })

  test('removes one, and the browser is told which are left', async () => {
    const { user } = await personWithPasskey(house)
    await enrol(house, user)
    const [first, second] = (await panelOf(user)).passkeys
    expect(await act(house, 'remove', manageAttempt(user, { id: first!.id }))).toMatchObject({
      event: { type: 'passkey.removed', passkeyId: first!.id },
      letter: { kind: 'factor_removed', factor: 'Passkey' },
    })
    const panel = await panelOf(user)
    expect(panel.passkeys).toMatchObject([{ id: second!.id }])
    expect(JSON.parse(panel.accepted).allAcceptedCredentialIds).toHaveLength(1)
  })

  test('T125: finds nothing where a passkey is somebody else’s', async () => {
    const { user } = await personWithPasskey(house)
    const eve = await newPerson(house)
    const [passkey] = (await panelOf(user)).passkeys
    for (const id of [passkey!.id, 'crd_unknown', ''])
      for (const name of ['rename', 'remove'])
        await expect(act(house, name, manageAttempt(eve, { id, name: 'mine' }))).rejects.toMatchObject({
          status: 404,
        })
    expect((await panelOf(user)).passkeys).toMatchObject([{ id: passkey!.id, name: 'Passkey' }])
  })
})

describe('what an authenticator is asked to make', () => {
  test('is found without a name, verifies its person, tells nothing of its maker, and of three kinds', async () => {
    const { user, held } = await personWithPasskey(house)
    expect(await askedToCreate(house, user)).toMatchObject({
      rp: { id: 'id.example', name: 'Anteroom' },
      user: { id: held.handle, name: user.email },
      pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: 'public-key', alg })),
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      excludeCredentials: [{ type: 'public-key', id: base64url(held.id) }],
    })
  })

  test('T057: bears one handle for each person, which says nothing', async () => {
    const { user, held } = await personWithPasskey(house)
    const { held: second } = await enrol(house, user)
    const { held: strangers } = await personWithPasskey(house)
    expect(second.handle).toBe(held.handle)
    expect(strangers.handle).not.toBe(held.handle)
    const bytes = Buffer.from(held.handle, 'base64url')
    expect(bytes).toHaveLength(32)
    expect(bytes.toString()).not.toContain(user.id)
  })
})

describe('T056: a registration', () => {
  test.each(['ES256', 'EdDSA', 'RS256'] as const)('is accepted: %s', async (algorithm) => {
    expect((await enrol(house, await newPerson(house), { algorithm })).outcome).toMatchObject(ADDED)
  })

  test('is accepted that the key signed itself, as browsers leave it', async () => {
    const itself = draft((it) => {
      it.format = 'packed'
      it.statement = new Map<unknown, unknown>([
        ['alg', -7],
        ['sig', 'own'],
      ])
    })
    expect((await enrol(house, await newPerson(house), { lie: itself })).outcome).toMatchObject(ADDED)
  })

  test.each(LIES())('is refused, and nothing is kept: %s', async (_, lie) => {
    const user = await newPerson(house)
    expect((await enrol(house, user, { lie })).outcome).toEqual(NOT_ADDED)
    expect(await count(user)).toBe(0)
  })

  test.each(['{', '[]', 'null', '['.repeat(8000)])('is refused that is none: %s', async (response) => {
    const user = await newPerson(house)
    expect(await act(house, 'add', manageAttempt(user, { response }))).toEqual(NOT_ADDED)
  })

  test('is refused of an id somebody else has, who keeps it', async () => {
    const owner = await personWithPasskey(house)
    const eve = await newPerson(house)
    const same = draft((it) => {
      it.id = it.rawId = base64url(owner.held.id)
      it.authData.credentialId = owner.held.id
    })
    expect((await enrol(house, eve, { lie: same })).outcome).toEqual(NOT_ADDED)
    expect([await count(owner.user), await count(eve)]).toEqual([1, 0])
  })

  test('is refused the second time, elsewhere, and for somebody else', async () => {
    const [user, eve] = [await newPerson(house), await newPerson(house)]
    const make = async () => {
      const { answer } = createAuthenticator().create(await askedToCreate(house, user))
      return { response: JSON.stringify(answer) }
    }
    expect(await act(house, 'add', manageAttempt(user, await make(), 'session 2'))).toEqual(NOT_ADDED)
    expect(await act(house, 'add', manageAttempt(eve, await make()))).toEqual(NOT_ADDED)
    const made = await make()
    expect(await act(house, 'add', manageAttempt(user, made))).toMatchObject(ADDED)
    expect(await act(other, 'add', manageAttempt(user, made))).toEqual(NOT_ADDED)
    expect([await count(user), await count(eve)]).toEqual([1, 0])
  })

  test('is one, of many at the same time on two instances', async () => {
    const user = await newPerson(house)
    const { answer } = createAuthenticator().create(await askedToCreate(house, user))
    const response = JSON.stringify(answer)
    const tries = [house, other, house, other].map((one) =>
      act(one, 'add', manageAttempt(user, { response })),
    )
    const outcomes = await Promise.all(tries)
    expect(outcomes.filter((outcome) => typeof outcome !== 'string')).toHaveLength(1)
    expect(await count(user)).toBe(1)
  })

  test('is refused beyond twenty of a person, also at the same time on two instances', async () => {
    const user = await newPerson(house)
    for (let had = 0; had < 18; had++) await enrol(house, user)
    const more = Array.from({ length: 6 }, (_, index) => enrol([house, other][index % 2]!, user))
    const outcomes = (await Promise.all(more)).map(({ outcome }) => outcome)
    expect(outcomes.filter((outcome) => typeof outcome === 'string')).toHaveLength(4)
    expect(await count(user)).toBe(20)
    expect((await panelOf(user)).isFull).toBe(true)
    expect(await act(house, 'add', manageAttempt(user))).toContain('You have 20 passkeys')
  }, 60_000)

  test('cannot be had with the answer to a sign-in', async () => {
    const { user, held, authenticator } = await personWithPasskey(house)
    const options = JSON.parse((house.method.show(attempt({}), []).data as { options: string }).options)
    const response = JSON.stringify(authenticator.get(options, held))
    expect(await act(house, 'add', manageAttempt(user, { response }))).toEqual(NOT_ADDED)
  })
})

function draft(change: (draft: Draft) => unknown): Lie {
  return { draft: (it) => void change(it) }
}

function LIES(): [string, Lie][] {
  const keys = { ec: generateKeys('ES256'), ed: generateKeys('EdDSA'), rsa: generateKeys('RS256') }
  const key = (publicKey: Buffer) => draft((it) => (it.authData.publicKey = publicKey))
  const answer = (change: (response: Answer['response']) => unknown): Lie => ({
    answer: ({ response }) => void change(response),
  })
  const statement = (format: string, entries: [string, unknown][]) =>
    draft((it) => Object.assign(it, { format, statement: new Map(entries) }))
  const longId = randomBytes(1024)
  return [
    ['an algorithm we did not offer: ES384', key(coseKey(keys.ec, 'ES256', [[3, -35]]))],
    ['an algorithm we did not offer: PS256', key(coseKey(keys.rsa, 'RS256', [[3, -37]]))],
    ['an algorithm we did not offer: RS1', key(coseKey(keys.rsa, 'RS256', [[3, -65535]]))],
    ['no algorithm', key(cbor(new Map([[1, 2]])))],
    ['one algorithm’s name for another’s key', key(coseKey(keys.ed, 'EdDSA', [[3, -7]]))],
    ['another curve', key(coseKey(keys.ec, 'ES256', [[-1, 2]]))],
    ['a point on no curve', key(coseKey(keys.ec, 'ES256', [[-3, Buffer.alloc(32, 1)]]))],
    ['half a point', key(coseKey(keys.ec, 'ES256', [[-2, Buffer.alloc(16, 1)]]))],
    ['an RSA key of 1024 bits', key(coseKey(keys.rsa, 'RS256', [[-1, Buffer.alloc(128, 0xff)]]))],
    ['an RSA key of 8192 bits', key(coseKey(keys.rsa, 'RS256', [[-1, Buffer.alloc(1024, 0xff)]]))],
    ['an RSA key with a weak exponent', key(coseKey(keys.rsa, 'RS256', [[-2, Buffer.from([3])]]))],
    ['a key that is a text', key(cbor('key'))],
    ['no key', key(Buffer.alloc(0))],
    ['a key cut off', key(coseKey(keys.ec, 'ES256').subarray(0, 40))],
    [
      'an id of 1024 bytes',
      draft((it) =>
        Object.assign(it, {
          id: base64url(longId),
          rawId: base64url(longId),
          authData: { ...it.authData, credentialId: longId },
        }),
      ),
    ],
    ['an id that is not the authenticator’s', draft((it) => (it.id = it.rawId = base64url(randomBytes(32))))],
    ['an id that is not rawId', draft((it) => (it.id = base64url(randomBytes(32))))],
    ['another type', draft((it) => (it.client['type'] = 'webauthn.get'))],
    ['another challenge', draft((it) => (it.client['challenge'] = base64url(randomBytes(70))))],
    ['another origin', draft((it) => (it.client['origin'] = 'https://login.id.example'))],
    ['a frame', draft((it) => (it.client['crossOrigin'] = true))],
    ['a page around it', draft((it) => (it.client['topOrigin'] = 'https://evil.example'))],
    ['another domain', draft((it) => (it.authData.rpId = 'evil.example'))],
    ['nobody there', draft((it) => (it.authData.flags.up = false))],
    ['nobody verified', draft((it) => (it.authData.flags.uv = false))],
    ['a backup of what cannot be backed up', draft((it) => (it.authData.flags.be = false))],
    ['no credential', draft((it) => (it.authData.flags.at = false))],
    ['bytes left over', draft((it) => (it.authData.extra = Buffer.from([0])))],
    ['a statement where there is none', statement('none', [['sig', Buffer.alloc(8)]])],
    [
      'a certificate',
      draft((it) => {
        it.format = 'packed'
        it.statement = new Map<unknown, unknown>([
          ['alg', -7],
          ['sig', 'own'],
          ['x5c', [certificateOf(it.signer)]],
        ])
      }),
    ],
    [
      'no certificate where there should be one',
      statement('packed', [
        ['alg', -7],
        ['sig', 'own'],
        ['x5c', []],
      ]),
    ],
    [
      'a self-signature by another algorithm',
      statement('packed', [
        ['alg', -35],
        ['sig', 'own384'],
      ]),
    ],
    [
      'a self-signature that is none',
      statement('packed', [
        ['alg', -7],
        ['sig', randomBytes(70)],
      ]),
    ],
    ...['tpm', 'apple', 'android-key', 'android-safetynet', 'fido-u2f', 'compound', ''].map(
      (format): [string, Lie] => [
        `the format “${format}”`,
        statement(format, [
          ['x5c', [randomBytes(400)]],
          ['sig', 'own'],
          ['alg', -7],
        ]),
      ],
    ),
    [
      'an attestation cut off',
      answer(
        (it) =>
          (it['attestationObject'] = base64url(
            Buffer.from(String(it['attestationObject']), 'base64url').subarray(0, -5),
          )),
      ),
    ],
    ['an attestation that is a number', answer((it) => (it['attestationObject'] = base64url(cbor(1))))],
    [
      'an attestation without end',
      answer((it) => (it['attestationObject'] = base64url(Buffer.alloc(9000, 0x81)))),
    ],
    ['no attestation', answer((it) => delete it['attestationObject'])],
    ['no client data', answer((it) => delete it['clientDataJSON'])],
  ]
}

/** A certificate as packed attestation wants it (WebAuthn L3, section 8.2.1), which anybody can make for their own key. */
function certificateOf(key: KeyObject): Buffer {
  const der = (tag: number, ...parts: (Buffer | number[])[]) => {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
    const { length } = body
    const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff]
    return Buffer.concat([Buffer.from(head), body])
  }
  const entry = (type: number, value: string) =>
    der(0x31, der(0x30, [0x06, 0x03, 0x55, 0x04, type], der(0x0c, Buffer.from(value))))
  const name = der(
    0x30,
    entry(6, 'US'),
    entry(10, 'Anybody'),
    entry(11, 'Authenticator Attestation'),
    entry(3, 'Forged'),
  )
  const algorithm = der(0x30, [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])
  const time = (year: number) => der(0x17, Buffer.from(`${year}0101000000Z`))
  const noAuthority = der(0x30, [0x06, 0x03, 0x55, 0x1d, 0x13], der(0x04, der(0x30)))
  const body = der(
    0x30,
    der(0xa0, [0x02, 0x01, 0x02]),
    [0x02, 0x01, 0x01],
    algorithm,
    name,
    der(0x30, time(20), time(49)),
    name,
    createPublicKey(key).export({ format: 'der', type: 'spki' }),
    der(0xa3, der(0x30, noAuthority)),
  )
  return der(0x30, body, algorithm, der(0x03, [0], sign('sha256', body, key)))
}

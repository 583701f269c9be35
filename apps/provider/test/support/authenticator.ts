// An authenticator and its browser in a few lines: makes passkeys and signs with them, and lies wherever a test wants it to.
import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  randomBytes,
  sign,
} from 'node:crypto'

export type Algorithm = 'ES256' | 'EdDSA' | 'RS256'

/** A browser at `origin`, and what the authenticator is. */
export type Device = {
  origin: string
  /** Synced to other devices (BE and BS), else bound to this one. */
  synced: boolean
  aaguid: string
  /** An authenticator that does not count says 0 for ever. */
  counts: boolean
}

export type HeldPasskey = {
  id: Buffer
  rpId: string
  /** base64url, as the relying party gave it. */
  handle: string
  privateKey: KeyObject
  algorithm: Algorithm
  counter: number
}

/** Authenticator data (WebAuthn L3, section 6.1), part by part. */
type AuthData = {
  rpId: string
  flags: { up: boolean; uv: boolean; be: boolean; bs: boolean; at: boolean; ed: boolean }
  counter: number
  aaguid: string
  credentialId: Buffer
  /** COSE_Key. */
  publicKey: Buffer
  /** Appended at the end. */
  extra: Buffer
}

/** What is about to be said, each part of which a lie may change before it is signed. */
export type Draft = {
  id: string
  rawId: string
  type: string
  client: Record<string, unknown>
  authData: AuthData
  /** Of an assertion. */
  signer: KeyObject
  userHandle: string | null
  /** Of a registration. */
  format: string
  statement: Map<unknown, unknown>
}

/** `draft` is changed before it is signed and put into bytes, `answer` afterwards. */
export type Lie = { draft?: (draft: Draft) => void; answer?: (answer: Answer) => void }

/** As a browser's `toJSON()` gives it. */
export type Answer = {
  id: string
  rawId: string
  type: string
  response: Record<string, string | null | string[]>
  clientExtensionResults: object
}

type Options = {
  challenge: string
  rpId?: string
  rp?: { id?: string | undefined }
  user?: { id: string }
}

const FLAGS = { up: 0x01, uv: 0x04, be: 0x08, bs: 0x10, at: 0x40, ed: 0x80 } as const

export const base64url = (bytes: Buffer | string) => Buffer.from(bytes).toString('base64url')
const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest()

export function createAuthenticator(device: Partial<Device> = {}) {
  const { origin, synced, aaguid, counts }: Device = {
    origin: 'https://id.example',
    synced: true,
    aaguid: '00000000-0000-0000-0000-000000000000',
    counts: true,
    ...device,
  }
  const flags = { up: true, uv: true, be: synced, bs: synced, at: false, ed: false }

  return {
    /** `navigator.credentials.create()`. */
    create(options: Options, algorithm: Algorithm = 'ES256', lie: Lie = {}) {
      const keys = generateKeys(algorithm)
      const held: HeldPasskey = {
        id: randomBytes(32),
        rpId: options.rp?.id ?? '',
        handle: options.user?.id ?? '',
        privateKey: keys.privateKey,
        algorithm,
        counter: 0,
      }
      const draft = draftOf(held, options, {
        type: 'webauthn.create',
        authData: { flags: { ...flags, at: true }, publicKey: coseKey(keys, algorithm) },
      })
      lie.draft?.(draft)
      const clientData = Buffer.from(JSON.stringify(draft.client))
      const authData = authDataOf(draft.authData)
      const hashed = { own: 'sha256', own384: 'sha384' }[String(draft.statement.get('sig'))]
      if (hashed)
        draft.statement.set('sig', sign(hashed, Buffer.concat([authData, sha256(clientData)]), draft.signer))
      const attestationObject = cbor(
        new Map<unknown, unknown>([
          ['fmt', draft.format],
          ['attStmt', draft.statement],
          ['authData', authData],
        ]),
      )
      const response = {
        clientDataJSON: base64url(clientData),
        attestationObject: base64url(attestationObject),
        transports: ['internal', 'hybrid'],
      }
      return { held, answer: answerOf(draft, response, lie) }
    },

    /** `navigator.credentials.get()`, with a passkey somebody chose. */
    get(options: Options, held: HeldPasskey, lie: Lie = {}): Answer {
      if (counts) held.counter++
      const draft = draftOf(held, options, { type: 'webauthn.get', authData: { flags } })
      lie.draft?.(draft)
      const clientData = Buffer.from(JSON.stringify(draft.client))
      const authData = authDataOf(draft.authData)
      const signature = signWith(draft.signer, Buffer.concat([authData, sha256(clientData)]))
      const response = {
        clientDataJSON: base64url(clientData),
        authenticatorData: base64url(authData),
        signature: base64url(signature),
        userHandle: draft.userHandle,
      }
      return answerOf(draft, response, lie)
    },
  }

  function draftOf(
    held: HeldPasskey,
    { challenge }: Options,
    { type, authData }: { type: string; authData: Pick<AuthData, 'flags'> & Partial<AuthData> },
  ): Draft {
    return {
      id: base64url(held.id),
      rawId: base64url(held.id),
      type: 'public-key',
      client: { type, challenge, origin, crossOrigin: false },
      authData: {
        rpId: held.rpId,
        counter: held.counter,
        aaguid,
        credentialId: held.id,
        publicKey: Buffer.alloc(0),
        extra: Buffer.alloc(0),
        ...authData,
        flags: { ...authData.flags },
      },
      signer: held.privateKey,
      userHandle: held.handle,
      format: 'none',
      statement: new Map(),
    }
  }
}

function answerOf(draft: Draft, response: Answer['response'], lie: Lie): Answer {
  const { id, rawId, type } = draft
  const answer = { id, rawId, type, response, clientExtensionResults: {} }
  lie.answer?.(answer)
  return answer
}

export function generateKeys(algorithm: Algorithm): KeyPairKeyObjectResult {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

const signWith = (key: KeyObject, data: Buffer) =>
  sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', data, key)

/** COSE_Key of a public key (RFC 9053, section 7; RFC 8230, section 4); `changes` are laid over it. */
export function coseKey(
  { publicKey }: { publicKey: KeyObject },
  algorithm: Algorithm,
  changes: [number, unknown][] = [],
): Buffer {
  const jwk = publicKey.export({ format: 'jwk' })
  const part = (name: 'x' | 'y' | 'n' | 'e') => Buffer.from(String(jwk[name]), 'base64url')
  const entries = {
    ES256: () => [
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, part('x')],
      [-3, part('y')],
    ],
    EdDSA: () => [
      [1, 1],
      [3, -8],
      [-1, 6],
      [-2, part('x')],
    ],
    RS256: () => [
      [1, 3],
      [3, -257],
      [-1, part('n')],
      [-2, part('e')],
    ],
  }[algorithm]() as [number, unknown][]
  return cbor(new Map([...entries, ...changes]))
}

function authDataOf({ rpId, flags, counter, aaguid, credentialId, publicKey, extra }: AuthData): Buffer {
  const head = Buffer.alloc(5)
  const names = Object.keys(FLAGS) as (keyof typeof FLAGS)[]
  head.writeUInt8(names.filter((name) => flags[name]).reduce((bits, name) => bits | FLAGS[name], 0))
  head.writeUInt32BE(counter, 1)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(credentialId.length)
  const attested = [Buffer.from(aaguid.replaceAll('-', ''), 'hex'), length, credentialId, publicKey]
  return Buffer.concat([sha256(rpId), head, ...(flags.at ? attested : []), extra])
}

/** As much of CBOR (RFC 8949) as WebAuthn needs: integers, bytes, text, arrays and maps. */
export function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return value < 0 ? cborHead(1, -1 - value) : cborHead(0, value)
  if (value instanceof Uint8Array) return Buffer.concat([cborHead(2, value.length), value])
  if (typeof value === 'string')
    return Buffer.concat([cborHead(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (Array.isArray(value)) return Buffer.concat([cborHead(4, value.length), ...value.map(cbor)])
  if (value instanceof Map)
    return Buffer.concat([cborHead(5, value.size), ...[...value].flatMap((pair) => pair.map(cbor))])
  throw new Error(`no CBOR for ${typeof value}`)
}

function cborHead(major: number, length: number): Buffer {
  const type = major << 5
  if (length < 24) return Buffer.from([type | length])
  if (length < 2 ** 8) return Buffer.from([type | 24, length])
  const head = Buffer.alloc(length < 2 ** 16 ? 3 : 5)
  head.writeUInt8(type | (head.length === 3 ? 25 : 26))
  head.writeUIntBE(length, 1, head.length - 1)
  return head
}

/** What a page asks of an authenticator. */
export const optionsIn = ({ text }: { text: string }) =>
  JSON.parse(/data-options="([^"]*)"/.exec(text)![1]!.replaceAll('&#34;', '"').replaceAll('&amp;', '&'))

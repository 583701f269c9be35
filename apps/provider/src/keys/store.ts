// Signing and sealing keys: make, seal, rotate, publish.
import { createPublicKey, generateKeyPair, type JsonWebKey, type KeyObject, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { notify } from '../db/notifications.ts'
import type { Scope } from '../db/unit-of-work.ts'
import type { Clock } from '../lib/clock.ts'
import { digest } from '../lib/digest.ts'
import { createId } from '../lib/ids.ts'
import type { Sealer } from '../lib/seal.ts'

/** Algorithms of JWS (RFC 7518, section 3.1) we make keys for; cookies are signed with HMAC. */
export type KeyAlg = 'RS256' | 'ES256' | 'HS256'

export type SigningJwk = JsonWebKey & { kid: string; alg: string; use: 'sig' }

/** Everything that signs, newest active key of each algorithm first: the first signs, all verify. */
export type Keyring = {
  signing: SigningJwk[]
  cookies: string[]
  /** Changes whenever the keyring does. */
  version: string
}

export type KeyStore = {
  /** Makes what is missing; several instances may start at once, they end up with the same keys. */
  ensureKeys(): Promise<void>
  /** Seals anew what an older SECRET_KEY sealed, so that the older one can be dropped. */
  resealKeys(): Promise<void>
  loadKeyring(): Promise<Keyring>
  /** Cheap enough to ask every second. */
  loadVersion(): Promise<string>
  /** A new key beside the others: published at once, signing from `activeAt` on. Returns its id. */
  createKey(alg: KeyAlg, activeAt: Date): Promise<string>
}

type NewKey = { id: string; alg: KeyAlg; secret: string }
type Row = { id: string; alg: string; activeAt: Date; sealed: Uint8Array }

/** Where a new key is announced to all instances. */
export const KEYS_TOPIC = 'keys'

const RSA_BITS = 2048
const NEEDED: KeyAlg[] = ['RS256', 'ES256', 'HS256']
const generate = promisify(generateKeyPair)

export function createKeyStore({
  scope,
  sealer,
  now,
}: {
  scope: Scope
  sealer: Sealer
  now: Clock
}): KeyStore {
  const listKeys = async () => order(await scope.client.key.findMany({ orderBy: { id: 'desc' } }), now())

  const insertKey = async ({ id, alg, secret }: NewKey, activeAt: Date) => {
    const publicJwk = alg === 'HS256' ? undefined : publicPart(secret)
    const sealed = new Uint8Array(sealer.seal(secret, rowOf(id)))
    await scope.transaction(async () => {
      await scope.client.key.create({ data: { id, alg, activeAt, sealed, publicJwk } })
      await notify(scope, KEYS_TOPIC)
    })
    return id
  }
  const makeKey = async (alg: KeyAlg): Promise<NewKey> => ({
    id: createId('key', now()),
    alg,
    secret: await makeSecret(alg),
  })

  const listMissing = async () => {
    const present = new Set((await listKeys()).map((key) => key.alg))
    return NEEDED.filter((alg) => !present.has(alg))
  }

  return {
    createKey: async (alg, activeAt) => insertKey(await makeKey(alg), activeAt),
    async ensureKeys() {
      // Made before the lock is taken: the others wait for an insert, not for a prime number.
      const made = await Promise.all((await listMissing()).map(makeKey))
      if (made.length === 0) return
      await scope.transaction(async () => {
        await scope.client.$executeRaw`select pg_advisory_xact_lock(hashtext('anteroom:keys'))`
        const missing = await listMissing()
        for (const key of made) if (missing.includes(key.alg)) await insertKey(key, now())
      })
    },
    async resealKeys() {
      for (const { id, sealed } of await listKeys()) {
        if (sealer.isCurrent(sealed)) continue
        const anew = new Uint8Array(sealer.seal(sealer.open(sealed, rowOf(id)), rowOf(id)))
        await scope.client.key.update({ where: { id }, data: { sealed: anew } })
      }
    },
    async loadKeyring() {
      const rows = await listKeys()
      const opened = rows.map((row) => ({ row, secret: sealer.open(row.sealed, rowOf(row.id)).toString() }))
      return {
        signing: opened
          .filter(({ row }) => row.alg !== 'HS256')
          .map(({ row, secret }) => signingJwk(row, secret)),
        cookies: opened.filter(({ row }) => row.alg === 'HS256').map(({ secret }) => secret),
        version: versionOf(rows),
      }
    },
    async loadVersion() {
      const rows = await scope.client.key.findMany({
        select: { id: true, alg: true, activeAt: true },
        orderBy: { id: 'desc' },
      })
      return versionOf(order(rows, now()))
    },
  }
}

/** Active keys before announced ones, and of the active the newest first. */
function order<R extends { activeAt: Date }>(rows: R[], at: Date): R[] {
  const waiting = (row: R) => (row.activeAt > at ? 1 : 0)
  return rows.toSorted((a, b) => waiting(a) - waiting(b) || b.activeAt.getTime() - a.activeAt.getTime())
}

const rowOf = (id: string) => `keys:sealed:${id}`
const versionOf = (rows: { id: string }[]) => digest(rows.map((row) => row.id).join(' '))

async function makeSecret(alg: KeyAlg): Promise<string> {
  if (alg === 'HS256') return randomBytes(32).toString('base64url')
  const { privateKey } = await makePair(alg)
  return JSON.stringify(privateKey.export({ format: 'jwk' }))
}

function makePair(alg: 'RS256' | 'ES256'): Promise<{ privateKey: KeyObject }> {
  return alg === 'RS256'
    ? generate('rsa', { modulusLength: RSA_BITS })
    : generate('ec', { namedCurve: 'P-256' })
}

function publicPart(secret: string): Record<string, string> {
  const jwk = createPublicKey({ key: JSON.parse(secret) as JsonWebKey, format: 'jwk' }).export({
    format: 'jwk',
  })
  return Object.fromEntries(Object.entries(jwk).map(([name, value]) => [name, String(value)]))
}

function signingJwk(row: Row, secret: string): SigningJwk {
  return { ...(JSON.parse(secret) as JsonWebKey), kid: row.id, alg: row.alg, use: 'sig' }
}

// Challenges that nobody stores until they are used: drawing a page costs a few microseconds and no row.
import { type KeyObject, randomBytes } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import { mac, sameSecret } from '../../lib/digest.ts'
import type { ChallengeStore } from '../../users/challenges.store.ts'

/** What a challenge is good for, and nothing else. */
export type Ceremony = {
  name: 'sign_in' | 'second_factor' | 'registration'
  /** The journey or session it was made in. */
  place: string
  /** Of whom; '' while nobody knows. */
  about: string
}

/** `replayed`: somebody was first, whatever became of it. */
export type Redeemed = 'fresh' | 'wrong' | 'expired' | 'replayed'

export type Ceremonies = {
  /** A new one each time, base64url: 32 random bytes, the time (6), and a MAC over both and the ceremony (32). */
  issue(ceremony: Ceremony): string
  /** `fresh` exactly once, on whichever instance. */
  redeem(ceremony: Ceremony, challenge: string): Promise<Redeemed>
}

type Dependencies = {
  challenges: ChallengeStore
  /** Newest first: the first makes, all recognise. */
  keys: KeyObject[]
  now: Clock
  /** Milliseconds. */
  lifetime: number
}

const NONCE_BYTES = 32
const HEAD_BYTES = NONCE_BYTES + 6
const PURPOSE = 'passkey'

export function createCeremonies({ challenges, keys, now, lifetime }: Dependencies): Ceremonies {
  const [newest] = keys
  if (!newest) throw new Error('challenges need at least one key')
  const sealOf = (key: KeyObject, { name, place, about }: Ceremony, head: Buffer) =>
    mac(key, name, place, about, head.toString('base64url'))

  return {
    issue(ceremony) {
      const head = Buffer.concat([randomBytes(NONCE_BYTES), Buffer.alloc(6)])
      head.writeUIntBE(now().getTime(), NONCE_BYTES, 6)
      const seal = Buffer.from(sealOf(newest, ceremony, head), 'base64url')
      return Buffer.concat([head, seal]).toString('base64url')
    },
    async redeem(ceremony, challenge) {
      const bytes = Buffer.from(challenge, 'base64url')
      const head = bytes.subarray(0, HEAD_BYTES)
      const seal = bytes.subarray(HEAD_BYTES).toString('base64url')
      if (head.length < HEAD_BYTES) return 'wrong'
      if (!keys.some((key) => sameSecret(sealOf(key, ceremony, head), seal))) return 'wrong'
      const issuedAt = new Date(head.readUIntBE(NONCE_BYTES, 6))
      if (issuedAt.getTime() + lifetime <= now().getTime()) return 'expired'
      const binding = head.subarray(0, NONCE_BYTES).toString('base64url')
      const isFirst = await challenges.spendUnstored({ purpose: PURPOSE, binding, issuedAt, lifetime })
      return isFirst ? 'fresh' : 'replayed'
    },
  }
}

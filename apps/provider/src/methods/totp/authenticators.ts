// The secrets of authenticator apps: sealed at rest, told once, confirmed before they count.
import { generateSecret } from 'otplib'
import { z } from 'zod'
import { type Clock, MINUTE } from '../../lib/clock.ts'
import type { Sealer } from '../../lib/seal.ts'
import type { ChallengeStore } from '../../users/challenges.store.ts'
import type { CountedCredential, CredentialStore } from '../../users/credentials.store.ts'
import type { UserStore } from '../../users/store.ts'
import { type JudgedCode, judgeCode, readCode } from './code.ts'

/** A code that is right: of which credential, and the time step that `claim` uses up. */
export type RightCode = { credential: CountedCredential; step: number }

/** A secret whose first code was right, waiting for `enrol`. */
export type Confirmed = { challenge: string; credential: string; sealed: string; step: number }

/** `over`: expired, tried too often, replaced by a newer one, or begun in another browser. */
type Refused<Reason> = { ok: false; reason: Reason }

export type Authenticators = {
  isEnrolled(userId: string): Promise<boolean>
  verify(
    userId: string,
    typed: string,
  ): Promise<{ ok: true; right: RightCode } | Refused<'incomplete' | 'wrong' | 'replayed'>>
  /** True exactly once for each time step, on all instances; part of the transaction that signs in. */
  claim(right: RightCode): Promise<boolean>
  /** A new secret, base32, told here and never again. It is none of theirs before one of its codes came back. */
  begin(userId: string, place: string): Promise<string>
  /** Counts as a try where it could be a code. */
  confirm(
    userId: string,
    proof: { place: string; typed: string },
  ): Promise<{ ok: true; confirmed: Confirmed } | Refused<'incomplete' | 'wrong' | 'over'>>
  /** In the place of the one before; part of a transaction. False when somebody else was first. */
  enrol(userId: string, confirmed: Confirmed): Promise<boolean>
  /** False when there was none. */
  remove(userId: string): Promise<boolean>
}

type Dependencies = {
  credentials: CredentialStore
  challenges: ChallengeStore
  users: Pick<UserStore, 'updateCredential'>
  sealer: Sealer
  now: Clock
}

export const TYPE = 'totp'
const PURPOSE = 'totp_enrolment'
const LIFETIME = 10 * MINUTE
const TRIES = 5
/** 160 bits (RFC 4226, section 4, R6). */
const SECRET_BYTES = 20

/** `secret`: sealed, base64. */
const dataSchema = z.object({ secret: z.string() })
const pendingSchema = z.object({ place: z.string(), credential: z.string(), sealed: z.string() })

export function createAuthenticators(deps: Dependencies): Authenticators {
  const { credentials, challenges, users, sealer, now } = deps
  const seal = (secret: string, id: string) => sealer.seal(secret, rowOf(id)).toString('base64')
  const open = (sealed: string, id: string) =>
    sealer.open(Buffer.from(sealed, 'base64'), rowOf(id)).toString()
  const judge = (
    code: string,
    sealed: string,
    { id, counter }: Pick<CountedCredential, 'id' | 'counter'>,
  ): JudgedCode => judgeCode(code, { secret: open(sealed, id), used: counter }, now())

  return {
    isEnrolled: async (userId) => (await credentials.countCredentials(userId, TYPE)) > 0,
    async verify(userId, typed) {
      const code = readCode(typed)
      if (!code) return { ok: false, reason: 'incomplete' }
      const credential = await credentials.findCounted(userId, TYPE)
      if (!credential) return { ok: false, reason: 'wrong' }
      const judged = judge(code, dataSchema.parse(credential.data).secret, credential)
      return judged.ok ? { ok: true, right: { credential, step: judged.step } } : judged
    },
    async claim({ credential: { id, data }, step }) {
      if (!(await credentials.advanceCounter(id, step))) return false
      const { secret } = dataSchema.parse(data)
      if (!sealer.isCurrent(Buffer.from(secret, 'base64')))
        await users.updateCredential(id, { secret: seal(open(secret, id), id) })
      return true
    },
    async begin(userId, place) {
      const secret = generateSecret({ length: SECRET_BYTES })
      const credential = credentials.nameCredential()
      const data = { place, credential, sealed: seal(secret, credential) }
      await challenges.openChallenge({ purpose: PURPOSE, binding: userId, data, lifetime: LIFETIME })
      return secret
    },
    async confirm(userId, { place, typed }) {
      const found = await challenges.findChallengeOf(PURPOSE, userId)
      if (!found || pendingSchema.parse(found.data).place !== place) return { ok: false, reason: 'over' }
      const code = readCode(typed)
      if (!code) return { ok: false, reason: 'incomplete' }
      const tried = await challenges.tryChallenge(found.id, TRIES)
      if (!tried) return { ok: false, reason: 'over' }
      const { credential, sealed } = pendingSchema.parse(tried.data)
      const judged = judge(code, sealed, { id: credential, counter: 0 })
      if (!judged.ok) return { ok: false, reason: 'wrong' }
      return { ok: true, confirmed: { challenge: found.id, credential, sealed, step: judged.step } }
    },
    async enrol(userId, { challenge, credential, sealed, step }) {
      if (!(await challenges.spendChallenge(challenge))) return false
      // The code that confirmed it is used up as well.
      const enrolled = { id: credential, data: { secret: sealed }, counter: step }
      await credentials.replaceCredentials(userId, TYPE, [enrolled])
      return true
    },
    remove: (userId) => credentials.removeCredentials(userId, TYPE),
  }
}

const rowOf = (id: string) => `credentials:data:${id}`

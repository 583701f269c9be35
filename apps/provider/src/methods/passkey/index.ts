// Signing in with a passkey: by itself, or as a second factor (WebAuthn L3).
import type { KeyObject } from 'node:crypto'
import type { AuditLog } from '../../audit/store.ts'
import type { Policy } from '../../config.ts'
import { type FieldError, view } from '../../http/view.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Outbox } from '../../mail/letter.ts'
import type { ChallengeStore } from '../../users/challenges.store.ts'
import type { Passkey, PasskeyStore } from '../../users/passkeys.store.ts'
import type { UserStore } from '../../users/store.ts'
import type { User } from '../../users/user.ts'
import { type Amr, type Attempt, type Outcome, part, type SignInMethod, type TrustOffer } from '../method.ts'
import { type Ceremony, createCeremonies, type Redeemed } from './ceremonies.ts'
import { checkAssertion, type Signed } from './checks.ts'
import { dataOf } from './data.ts'
import { createPasskeyManage } from './manage.ts'
import { offerPasskey } from './offer.ts'
import { relyingParty, requestOptions } from './relying-party.ts'
import { RESPONSE_MAX, readAssertion } from './response.ts'

type Proof = { action: string; options: string; lifetime: number; errors: FieldError[] }
const door = view<Proof>('methods/passkey/door')
const secondFactor = view<Proof & { csrf: string; trust: TrustOffer | null }>('methods/passkey/second-factor')

export type PasskeyDependencies = {
  users: UserStore
  passkeys: PasskeyStore
  challenges: ChallengeStore
  audit: AuditLog
  outbox: Outbox
  /** Of challenges, newest first: an instance that has not the newest yet recognises the others'. */
  challengeKeys: KeyObject[]
  /** Of the handles by which authenticators know people. */
  handleKey: KeyObject
  policy: Policy
  /** As people know it: authenticators show it. */
  service: string
  issuer: string
  now: Clock
}

export function createPasskeyMethod(deps: PasskeyDependencies): SignInMethod {
  const { users, passkeys, audit, outbox, policy, issuer, now } = deps
  const rp = relyingParty(deps)
  const ceremonies = createCeremonies({ ...deps, keys: deps.challengeKeys, lifetime: rp.lifetime })

  return {
    id: 'passkey',
    title: 'Use your passkey',
    step: 'both',
    vouchesForDevice: true,
    kind: 'possession',
    invitation: 'Use a passkey',
    enrolment: { label: 'Add a passkey', acts: ['add'] },
    show(attempt, errors) {
      const { action, csrf, user, trust } = attempt
      const challenge = ceremonies.issue(ceremonyOf(attempt))
      const verification = user ? 'preferred' : 'required'
      const options = JSON.stringify(requestOptions(rp, { challenge, verification }))
      const proof = { action, options, lifetime: rp.lifetime, errors }
      return user ? part(secondFactor, { ...proof, csrf, trust }) : part(door, proof)
    },
    allowances: (_, network) => [{ limit: 'passkey_per_ip', key: network }],
    verify,
    isEnrolled: async ({ id }) => (await passkeys.listPasskeys(id)).length > 0,
    offer: offerPasskey,
    manage: createPasskeyManage({ ...deps, rp, ceremonies }),
  }

  async function verify(attempt: Attempt): Promise<Outcome> {
    const posted = attempt.fields('response', RESPONSE_MAX)
    if (posted === '') return refused('incomplete')
    const read = readAssertion(posted)
    if (!read) return refused('wrong')
    const redeemed = await ceremonies.redeem(ceremonyOf(attempt), read.challenge)
    if (redeemed !== 'fresh') return refused(redeemed)

    const passkey = await passkeys.findPasskey(read.answer.id)
    const user = passkey && (await users.findUser(passkey.userId))
    const isTheirs = !attempt.user || attempt.user.id === user?.id
    if (!passkey || !user || !isTheirs) return refused('wrong', attempt.user?.id)
    const signed = await checkAssertion(rp, read, { known: dataOf(passkey), alone: attempt.user === null })
    if (!signed) return refused('wrong', user.id)
    return settle(attempt, { passkey, user, signed })
  }

  /** The person was read before the passkey is used: whoever removes it meanwhile has ended what is proved here. */
  async function settle(attempt: Attempt, { passkey, user, signed }: Settling): Promise<Outcome> {
    const { counter, backedUp } = signed
    const whenBehind = policy.passkeys.when_copied === 'tell' ? 'use' : 'leave'
    const data = { backedUp, lastUsedAt: now().toISOString() }
    const used = await passkeys.usePasskey(passkey.id, { counter, data, whenBehind })
    if (used === 'behind') await suspect(attempt, { passkey, user, signed })
    if (used === null || (used === 'behind' && whenBehind === 'leave')) return refused('wrong', user.id)
    return { ok: true, user, amr: amrOf(passkey, signed, attempt.user === null) }
  }

  /** A signature count that did not grow: one of two copies is behind the other (section 6.1.1). */
  async function suspect({ occasion }: Attempt, { passkey, user }: Settling) {
    const admitted = policy.passkeys.when_copied === 'tell' ? 'yes' : 'no'
    await audit.record({
      type: 'passkey.clone_suspected',
      userId: user.id,
      passkeyId: passkey.id,
      admitted,
    })
    if (!user.emailVerified) return
    const content = {
      kind: 'passkey_copied' as const,
      name: dataOf(passkey).name,
      forgotUrl: `${issuer}/forgot`,
    }
    await outbox.post({ to: user.email, userId: user.id, content, occasion })
  }
}

type Settling = { passkey: Passkey; user: User; signed: Signed }

const ceremonyOf = ({ user, place }: Attempt): Ceremony => ({
  name: user ? 'second_factor' : 'sign_in',
  place,
  about: user?.id ?? '',
})

/** RFC 8176: a key that may be copied to other devices is software's, whatever guards it. */
function amrOf(passkey: Passkey, { userVerified }: Signed, alone: boolean): Amr[] {
  const key = dataOf(passkey).backupEligible ? 'swk' : 'hwk'
  if (!userVerified) return [key]
  return alone ? [key, 'user', 'mfa'] : [key, 'user']
}

const MESSAGES = {
  incomplete: 'Your browser brought no passkey. Try once more, or sign in another way.',
  expired: 'That took too long. Try once more, please.',
  wrong: 'This passkey could not be used. Try once more, or sign in another way.',
}

function refused(reason: Exclude<Redeemed, 'fresh'> | 'incomplete', userId?: string): Outcome {
  const message = MESSAGES[reason === 'replayed' ? 'wrong' : reason]
  return { ok: false, reason, errors: [{ field: 'passkey', message }], userId }
}

// Codes in letters: made, sent, tried, each good for one place and one time.
import { type KeyObject, randomInt } from 'node:crypto'
import { z } from 'zod'
import { mac, sameSecret } from '../../lib/digest.ts'
import { randomToken } from '../../lib/ids.ts'
import type { Occasion, Outbox } from '../../mail/letter.ts'
import type { ChallengeStore } from '../../users/challenges.store.ts'

export type CodePurpose = 'sign_in_code' | 'registration_code' | 'confirmation_code' | 'new_address_code'

export type CodeWish = {
  purpose: CodePurpose
  /** Whose code: an address or a person. A newer code for the same takes the place of the older. */
  binding: string
  /** The one journey or session that may use it. */
  place: string
  /** What is to happen once it is proved; the sender's own. */
  about: object
  /** Null: nobody gets a letter and no code is ever right, and nobody can tell. */
  to: { address: string; userId: string | null } | null
  clientName: string | null
  occasion: Occasion
  /** Milliseconds. */
  lifetime: number
  /** Where the letter's link leads; without one the letter has the code alone. */
  linkOf?: (token: string) => string
}

export type CheckedCode =
  | { ok: true; id: string; purpose: CodePurpose; about: unknown }
  /** `over`: expired, used, replaced by a newer one, tried too often, or of another place. */
  | { ok: false; reason: 'incomplete' | 'wrong' | 'over' }

export type MailedCodes = {
  /** Belongs in a transaction: the code is there if its letter is. Returns the challenge's id. */
  send(wish: CodeWish): Promise<string>
  /** Counts as a try, whatever becomes of the request. It is spent by `spend` alone. */
  check(id: string, place: string, typed: string): Promise<CheckedCode>
  /** The letter's link says the same as its code, and cannot be guessed: it is not counted. */
  checkLink(id: string, place: string, token: string): Promise<CheckedCode>
  /** Whether it could still be used: the newest, unspent, not expired. */
  isOpen(id: string): Promise<boolean>
  /** The one that could still be used. */
  findOpen(purpose: CodePurpose, binding: string): Promise<string | null>
  /** What an unspent code is about, even when it has expired; null where there is none. */
  recall(id: string): Promise<unknown>
  /** True exactly once; belongs in the transaction of what it allows. */
  spend(id: string): Promise<boolean>
}

type Dependencies = {
  challenges: ChallengeStore
  outbox: Outbox
  /** Keys the digests of codes: six digits alone would be found in a moment. */
  key: KeyObject
}

const DIGITS = 6
const TRIES = 5

const dataSchema = z.object({ place: z.string(), code: z.string(), link: z.string(), about: z.unknown() })

export function createMailedCodes({ challenges, outbox, key }: Dependencies): MailedCodes {
  // The salt makes equal codes of two people differ; the row's id would do but is not known before the row.
  const digestOf = (salt: string, code: string) => mac(key, salt, code)

  async function judge(
    id: string,
    place: string,
    isRight: (data: z.output<typeof dataSchema>) => boolean,
    find: (id: string) => ReturnType<ChallengeStore['findChallenge']>,
  ): Promise<CheckedCode> {
    const challenge = await find(id)
    const data = challenge && dataSchema.parse(challenge.data)
    if (!challenge || !data || data.place !== place) return { ok: false, reason: 'over' }
    if (!isRight(data)) return { ok: false, reason: 'wrong' }
    return { ok: true, id, purpose: challenge.purpose as CodePurpose, about: data.about }
  }

  return {
    async send(wish) {
      const { purpose, binding, place, about, to, lifetime } = wish
      const code = randomInt(10 ** DIGITS)
        .toString()
        .padStart(DIGITS, '0')
      const token = randomToken()
      const salt = randomToken()
      const known = to ? code : randomToken()
      const data = { place, about, code: `${salt}.${digestOf(salt, known)}`, link: digestOf(salt, token) }
      const { id } = await challenges.openChallenge({ purpose, binding, data, lifetime })
      if (to) await outbox.post(letterOf(wish, to, { code, token }))
      return id
    },
    async check(id, place, typed) {
      const code = typed.replace(/[\s-]/g, '')
      if (!/^[0-9]{6}$/.test(code)) return { ok: false, reason: 'incomplete' }
      const isRight = ({ code: kept }: { code: string }) => {
        const [salt = '', digest = ''] = kept.split('.')
        return sameSecret(digestOf(salt, code), digest)
      }
      return judge(id, place, isRight, (challenge) => challenges.tryChallenge(challenge, TRIES))
    },
    async checkLink(id, place, token) {
      const isRight = ({ code, link }: { code: string; link: string }) =>
        sameSecret(digestOf(code.split('.')[0]!, token), link)
      return judge(id, place, isRight, challenges.findChallenge)
    },
    isOpen: async (id) => (await challenges.findChallenge(id)) !== null,
    findOpen: async (purpose, binding) => (await challenges.findChallengeOf(purpose, binding))?.id ?? null,
    async recall(id) {
      const challenge = await challenges.recallChallenge(id)
      return challenge && dataSchema.parse(challenge.data).about
    },
    spend: challenges.spendChallenge,
  }
}

function letterOf(
  { clientName, occasion, linkOf, lifetime }: CodeWish,
  { address, userId }: NonNullable<CodeWish['to']>,
  { code, token }: { code: string; token: string },
) {
  const link = linkOf?.(token) ?? null
  return {
    to: address,
    userId,
    content: { kind: 'code' as const, code, link, validMs: lifetime, clientName },
    occasion,
    uselessAfter: lifetime,
  }
}

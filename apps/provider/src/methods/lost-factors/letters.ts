// Whom the letters about a recovery go to, and what stands in them.
import { randomToken } from '../../lib/ids.ts'
import type { Content, Occasion, Outbox } from '../../mail/letter.ts'
import type { AddressStore } from '../../users/addresses.store.ts'
import type { ChallengeStore } from '../../users/challenges.store.ts'
import type { Recovery } from '../../users/recoveries.store.ts'
import type { User } from '../../users/user.ts'

/** What a mailed link does. */
export type LinkPurpose = 'recovery_stop' | 'recovery_finish'

export type RecoveryLetters = {
  /** To every address: that it runs, since when and until when, each with a link of its own that stops it. */
  tellOfRunning(user: User, recovery: Recovery): Promise<void>
  /** To the present address the link that finishes it; to the others that it is there. */
  tellOfReady(user: User, recovery: Recovery): Promise<void>
  /** To every address: how it ended. */
  tellOfEnd(user: User, how: 'recovery_stopped' | 'recovery_done', occasion: Occasion): Promise<void>
  /** The recovery that such a link is about; whether it still runs is another question. */
  findLink(purpose: LinkPurpose, token: string): Promise<{ recoveryId: string } | null>
}

type Dependencies = {
  challenges: ChallengeStore
  addresses: AddressStore
  outbox: Outbox
  issuer: string
}

export const STOP_PATH = '/recover/stop'
export const FINISH_PATH = '/recover'

/** All of it is part of the transaction of what it tells of. */
export function createRecoveryLetters(deps: Dependencies): RecoveryLetters {
  const { challenges, addresses, outbox, issuer } = deps

  /** A link lives as long as the recovery could; that it runs is looked up when the link is used. */
  async function makeLink(purpose: LinkPurpose, { id: recoveryId, askedAt, endsAt }: Recovery) {
    const token = randomToken()
    const lifetime = endsAt.getTime() - askedAt.getTime()
    const binding = `${recoveryId} ${randomToken()}`
    await challenges.openChallenge({ purpose, binding, data: { recoveryId }, lifetime, linkSecret: token })
    return `${issuer}${purpose === 'recovery_stop' ? STOP_PATH : FINISH_PATH}?token=${token}`
  }

  const post = (user: User, to: string, { content, occasion }: { content: Content; occasion: Occasion }) =>
    outbox.post({ to, userId: user.id, content, occasion })

  async function tellAsked(user: User, recovery: Recovery, to: string) {
    const { isReady } = recovery
    const content: Content = {
      kind: 'recovery_asked',
      isReady,
      stopLink: await makeLink('recovery_stop', recovery),
      validMs: lengthOf(recovery, isReady ? 'endsAt' : 'readyAt'),
    }
    await post(user, to, { content, occasion: occasionOf(recovery) })
  }

  const listFormer = ({ id }: User) => addresses.listFormerAddresses(id)
  const listAll = async (user: User) => [user.email, ...(await listFormer(user))]

  return {
    async tellOfRunning(user, recovery) {
      for (const to of await listAll(user)) await tellAsked(user, recovery, to)
    },
    async tellOfReady(user, recovery) {
      const content: Content = {
        kind: 'recovery_ready',
        finishLink: await makeLink('recovery_finish', recovery),
        stopLink: await makeLink('recovery_stop', recovery),
        validMs: lengthOf(recovery, 'endsAt'),
      }
      await post(user, user.email, { content, occasion: occasionOf(recovery) })
      for (const to of await listFormer(user)) await tellAsked(user, recovery, to)
    },
    async tellOfEnd(user, kind, occasion) {
      const content: Content = { kind, forgotUrl: `${issuer}/forgot` }
      for (const to of await listAll(user)) await post(user, to, { content, occasion })
    },
    async findLink(purpose, token) {
      const challenge = token ? await challenges.findChallengeByLink(purpose, token) : null
      return challenge && (challenge.data as { recoveryId: string })
    },
  }
}

/** What every letter about a recovery tells of is who asked for it. */
const occasionOf = ({ askedAt: at, asked }: Recovery): Occasion => ({ at, ...asked })

const lengthOf = (recovery: Recovery, end: 'readyAt' | 'endsAt') =>
  recovery[end].getTime() - recovery.askedAt.getTime()

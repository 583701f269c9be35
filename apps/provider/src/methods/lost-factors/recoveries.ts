// The way back in for whoever has lost every second factor: asked for, told to everybody it concerns, and finished by the
// mailbox after a wait in which any of them can stop it (decision 019).
import type { AuditLog } from '../../audit/store.ts'
import { SECOND_FACTORS, secondFactorsAmong } from '../../config/factors.ts'
import type { Scope } from '../../db/unit-of-work.ts'
import { DAY } from '../../lib/clock.ts'
import { shortUserAgent } from '../../lib/user-agent.ts'
import type { Outbox } from '../../mail/letter.ts'
import type { AddressStore } from '../../users/addresses.store.ts'
import type { ChallengeStore } from '../../users/challenges.store.ts'
import type { Recovery, RecoveryStore } from '../../users/recoveries.store.ts'
import type { UserStore } from '../../users/store.ts'
import type { User } from '../../users/user.ts'
import type { Told } from '../told.ts'
import { createRecoveryLetters, type LinkPurpose } from './letters.ts'

export type { Recovery } from '../../users/recoveries.store.ts'

/** A recovery that runs, and whose it is. */
export type Running = { user: User; recovery: Recovery }

export type Recoveries = {
  /** How many milliseconds have to pass before one can be finished. */
  wait: number
  /** Whether this person may ask: the policy allows it, and their mailbox is proved to be theirs. */
  isOffered(user: User): boolean
  /**
   * False when nothing was opened: one runs already, and its clock goes on, or the person has no second factor to lose.
   * @throws ChangedMeanwhile
   */
  ask(user: User, told: Told): Promise<boolean>
  /** The one that runs; costs a look only where `isRecovering` says that there may be one. */
  find(user: User): Promise<Recovery | null>
  /** What a mailed link is about; null when it is wrong, or what it was about is over. */
  findByLink(purpose: LinkPurpose, token: string): Promise<Running | null>
  /** True exactly once, and never where it was finished. */
  stop(running: Running, by: 'letter' | 'session', told: Told): Promise<boolean>
  /**
   * Takes all second factors away and ends every session. True exactly once, never before the wait is over, and never where
   * it was stopped. @throws ChangedMeanwhile
   */
  finish(running: Running, told: Told): Promise<boolean>
  /** Ids of those whose people are to be written to. */
  listDue(limit: number): Promise<string[]>
  /** Writes to them: once for each day and once when the wait is over, whoever asks how often. False where nothing was due. */
  tellDue(id: string): Promise<boolean>
}

type Dependencies = {
  /** The policy's `factors.recovery_wait`, in milliseconds; 0: there are no recoveries. */
  wait: number
  issuer: string
  scope: Scope
  users: UserStore
  addresses: AddressStore
  challenges: ChallengeStore
  store: RecoveryStore
  outbox: Outbox
  audit: AuditLog
}

/** How long the mailbox may finish one that is ready. */
const OPEN_FOR = 7 * DAY

export function createRecoveries(deps: Dependencies): Recoveries {
  const { wait, scope, users, store, audit } = deps
  const letters = createRecoveryLetters(deps)
  const isOffered = (user: User) => wait > 0 && user.emailVerified

  const hasSecondFactor = async ({ id }: User) =>
    secondFactorsAmong(await users.listCredentialTypes(id)).length > 0

  async function ask(user: User, { visit, occasion }: Told): Promise<boolean> {
    if (!isOffered(user) || !(await hasSecondFactor(user))) return false
    const { ip, userAgent } = occasion
    const asked = { ip, userAgent: shortUserAgent(userAgent) }
    const recovery = await store.openRecovery({ user, asked, wait, open: OPEN_FOR })
    if (!recovery) return false
    await letters.tellOfRunning(user, recovery)
    await audit.record({ type: 'recovery.asked', userId: user.id }, visit)
    return true
  }

  async function findByLink(purpose: LinkPurpose, token: string): Promise<Running | null> {
    const link = wait > 0 ? await letters.findLink(purpose, token) : null
    const recovery = link && (await store.findRecovery(link.recoveryId))
    const user = recovery && (await users.findUser(recovery.userId))
    // A credential may have changed between the two looks; what is finished is finished in the generation it was asked in.
    return recovery && user?.generation === recovery.generation ? { user, recovery } : null
  }

  async function stop({ user, recovery }: Running, by: 'letter' | 'session', told: Told) {
    if (!(await store.stopRecovery(recovery))) return false
    await letters.tellOfEnd(user, 'recovery_stopped', told.occasion)
    await audit.record({ type: 'recovery.stopped', userId: user.id, by }, told.visit)
    return true
  }

  async function finish({ user, recovery }: Running, { visit, occasion }: Told) {
    if (!(await store.spendRecovery(recovery.id))) return false
    await users.advanceGeneration(user.id)
    for (const factor of SECOND_FACTORS) await users.removeCredentials(user.id, factor)
    await letters.tellOfEnd(user, 'recovery_done', occasion)
    await audit.record({ type: 'recovery.completed', userId: user.id }, visit)
    return true
  }

  async function tellDue(id: string): Promise<boolean> {
    const due = await store.takeDue(id)
    const user = due && (await users.findUser(due.recovery.userId))
    if (!due || !user) return false
    const { recovery, isFirstReady } = due
    await (isFirstReady ? letters.tellOfReady(user, recovery) : letters.tellOfRunning(user, recovery))
    return true
  }

  return {
    wait,
    isOffered,
    ask: (user, told) => scope.transaction(() => ask(user, told)),
    find: async (user) => (wait > 0 && user.isRecovering ? store.findRecoveryOf(user.id) : null),
    findByLink,
    stop: (running, by, told) => scope.transaction(() => stop(running, by, told)),
    finish: (running, told) => scope.transaction(() => finish(running, told)),
    listDue: async (limit) => (wait > 0 ? store.listDue(limit) : []),
    tellDue: (id) => scope.transaction(() => tellDue(id)),
  }
}

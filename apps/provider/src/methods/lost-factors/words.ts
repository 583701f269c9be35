import { timeInWords } from '../../mail/words.ts'
import type { Recovery } from '../../users/recoveries.store.ts'

/** What pages tell of a recovery that runs. `until`: when it is ready, and once it is, when it ends. */
export type RecoveryInWords = { askedAt: string; isReady: boolean; until: string }

export const recoveryInWords = ({ askedAt, isReady, readyAt, endsAt }: Recovery): RecoveryInWords => ({
  askedAt: timeInWords(askedAt),
  isReady,
  until: timeInWords(isReady ? endsAt : readyAt),
})

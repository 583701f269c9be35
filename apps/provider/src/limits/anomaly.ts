import { SECOND } from '../lib/clock.ts'
import type { Limits } from './store.ts'

export type Watch = {
  /** One wrong password, whosever. Costs nothing: counts are brought together once a second. */
  note(): void
  /** Brings together what is left. */
  stop(): Promise<void>
}

type Options = {
  limits: Pick<Limits, 'count'>
  /** Called once a window, by one of all instances, when there were more than the limit says. */
  onAnomaly: () => Promise<void>
  onError: (error: unknown) => void
  everyMs?: number
}

/** Failures of everybody together: one password tried on many accounts from many networks shows here alone. */
export function watchFailures({ limits, onAnomaly, onError, everyMs = SECOND }: Options): Watch {
  let noted = 0
  let timer: NodeJS.Timeout | undefined

  async function report(): Promise<void> {
    const times = noted
    noted = 0
    timer = undefined
    if (times > 0 && (await limits.count({ limit: 'password_failures', key: '' }, times))) await onAnomaly()
  }

  return {
    note() {
      noted++
      timer ??= setTimeout(() => void report().catch(onError), everyMs).unref()
    },
    stop() {
      clearTimeout(timer)
      return report().catch(onError)
    },
  }
}

import type { Notifications } from '../db/notifications.ts'
import type { Log } from '../lib/log.ts'
import { KEYS_TOPIC, type Keyring, type KeyStore } from './store.ts'

/**
 * Tells when the keyring is another one: made elsewhere, or a key's time has come.
 * Polling behind the notifications, because one can be missed and a missed key rotation is an outage.
 */
export function watchKeyring(options: {
  keys: KeyStore
  version: string
  everyMs: number
  notifications: Notifications
  log: Log
  onChange: (keyring: Keyring) => void
}): { stop(): void } {
  const { keys, everyMs, notifications, log, onChange } = options
  let { version } = options
  let isAsked = false
  let isLooking = false
  let isFailing = false

  const look = async () => {
    try {
      if ((await keys.loadVersion()) !== version) {
        const keyring = await keys.loadKeyring()
        onChange(keyring)
        // Only now: a change that could not be made is tried again.
        version = keyring.version
      }
      isFailing = false
    } catch (error) {
      if (!isFailing)
        log.warn({ err: error }, 'the keys could not be looked up; the ones at hand stay in use')
      isFailing = true
    }
  }

  /** What is asked while it looks may have happened after it looked, so it looks again. */
  const ask = async () => {
    isAsked = true
    if (isLooking) return
    isLooking = true
    while (isAsked) {
      isAsked = false
      await look()
    }
    isLooking = false
  }

  const timer = setInterval(() => void ask(), everyMs)
  timer.unref()
  const unsubscribe = notifications.subscribe(KEYS_TOPIC, () => void ask())
  return {
    stop() {
      clearInterval(timer)
      unsubscribe()
    },
  }
}

import type { Log } from '../lib/log.ts'
import type { Keyring, KeyStore } from './store.ts'

/**
 * Tells when the keyring is another one: made elsewhere, or a key's time has come.
 * Polling, because a notification can be missed and a missed key rotation is an outage.
 */
export function watchKeyring(options: {
  keys: KeyStore
  version: string
  everyMs: number
  log: Log
  onChange: (keyring: Keyring) => void
}): { stop(): void } {
  const { keys, everyMs, log, onChange } = options
  let { version } = options
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    try {
      if ((await keys.loadVersion()) === version) return
      const keyring = await keys.loadKeyring()
      onChange(keyring)
      // Only now: a change that could not be made is tried again.
      version = keyring.version
    } catch (error) {
      log.warn({ err: error }, 'the keys could not be looked up; the ones at hand stay in use')
    } finally {
      looking = false
    }
  }
  const timer = setInterval(() => void look(), everyMs)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

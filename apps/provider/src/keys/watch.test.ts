import { expect, test, vi } from 'vitest'
import { silentLog } from '../lib/log.ts'
import type { Keyring, KeyStore } from './store.ts'
import { watchKeyring } from './watch.ts'

const NEW: Keyring = { signing: [], cookies: [], version: 'new' }

test('a change of keys that could not be made is tried again, and made once', async () => {
  const keys = { loadVersion: async () => 'new', loadKeyring: async () => NEW } as unknown as KeyStore
  const made: Keyring[] = []
  let tries = 0
  const onChange = (keyring: Keyring) => {
    tries++
    if (tries === 1) throw new Error('not now')
    made.push(keyring)
  }
  const watch = watchKeyring({ keys, version: 'old', everyMs: 5, log: silentLog, onChange })
  await vi.waitFor(() => expect(made).toEqual([NEW]))
  watch.stop()
  expect(tries).toBe(2)
})

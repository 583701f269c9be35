import { DAY, MINUTE } from '../lib/clock.ts'
import type { Content, LetterKind } from './letter.ts'

const LINK = 'https://id.example.com/verify#a-secret'
const FORGOT = 'https://id.example.com/forgot'

/** One of each kind: composed at start, so that a letter that cannot be stops that instead of its reader. */
export const SAMPLES: { [Kind in LetterKind]: Extract<Content, { kind: Kind }> } = {
  code: { kind: 'code', code: '123456', link: LINK, validMs: 10 * MINUTE, clientName: 'Notes' },
  address_in_use: { kind: 'address_in_use', wanted: 'account', signInUrl: LINK, forgotUrl: FORGOT },
  reset_link: { kind: 'reset_link', link: LINK, validMs: 30 * MINUTE },
  new_browser: { kind: 'new_browser', forgotUrl: FORGOT },
  password_changed: { kind: 'password_changed', how: 'changed', forgotUrl: FORGOT },
  address_changed: {
    kind: 'address_changed',
    newAddress: 'a***@example.org',
    undoLink: LINK,
    validMs: 7 * DAY,
  },
  address_restored: { kind: 'address_restored', forgotUrl: FORGOT },
  password_locked: { kind: 'password_locked', waitMs: 15 * MINUTE, forgotUrl: FORGOT },
  password_disabled: { kind: 'password_disabled', forgotUrl: FORGOT },
  second_factor_locked: { kind: 'second_factor_locked', waitMs: 15 * MINUTE, forgotUrl: FORGOT },
  second_factor_disabled: { kind: 'second_factor_disabled', forgotUrl: FORGOT },
  factor_added: { kind: 'factor_added', factor: 'an authenticator app', forgotUrl: FORGOT },
  factor_removed: { kind: 'factor_removed', factor: 'an authenticator app', forgotUrl: FORGOT },
  recovery_code_used: { kind: 'recovery_code_used', left: 3, forgotUrl: FORGOT },
  recovery_asked: { kind: 'recovery_asked', isReady: false, stopLink: LINK, validMs: 3 * DAY },
  recovery_ready: {
    kind: 'recovery_ready',
    finishLink: 'https://id.example.com/recover?token=a-secret',
    stopLink: LINK,
    validMs: 10 * DAY,
  },
  recovery_stopped: { kind: 'recovery_stopped', forgotUrl: FORGOT },
  recovery_done: { kind: 'recovery_done', forgotUrl: FORGOT },
  passkey_copied: { kind: 'passkey_copied', name: 'iCloud Keychain', forgotUrl: FORGOT },
}

/** From where and with what somebody caused a letter: told to its reader, who knows whether that was them. */
export type Occasion = { at: Date; ip: string; userAgent: string }

/** What a letter says. Links are whole addresses; codes are digits without spaces. */
export type Content =
  /** Proves that the reader of this mailbox is in front of that browser; word for word the same with and without an account. */
  | { kind: 'code'; code: string; link: string | null; validMs: number; clientName: string | null }
  /** Somebody wanted to create an account, or to make this address theirs, but it has one. */
  | { kind: 'address_in_use'; wanted: 'account' | 'address'; signInUrl: string; forgotUrl: string }
  | { kind: 'reset_link'; link: string; validMs: number }
  | { kind: 'new_browser'; forgotUrl: string }
  | { kind: 'password_changed'; how: 'set' | 'changed' | 'reset'; forgotUrl: string }
  /** To the address that was. `newAddress` is masked: whoever reads it may be somebody else by now. */
  | { kind: 'address_changed'; newAddress: string; undoLink: string; validMs: number }
  | { kind: 'address_restored'; forgotUrl: string }
  | { kind: 'password_locked'; waitMs: number; forgotUrl: string }
  | { kind: 'password_disabled'; forgotUrl: string }
  /** Whoever tried had brought the first factor, or had a session. */
  | { kind: 'second_factor_locked'; waitMs: number; forgotUrl: string }
  | { kind: 'second_factor_disabled'; forgotUrl: string }
  /** `factor`: in words that end a sentence, `an authenticator app`. */
  | { kind: 'factor_added'; factor: string; forgotUrl: string }
  | { kind: 'factor_removed'; factor: string; forgotUrl: string }
  /** `left`: how many the owner has yet. */
  | { kind: 'recovery_code_used'; left: number; forgotUrl: string }
  /** A passkey said it was used less often than we know it was. */
  | { kind: 'passkey_copied'; name: string; forgotUrl: string }
  /** A recovery runs; the letter's occasion is who asked for it. `validMs`: from then until it is ready, or ends. */
  | { kind: 'recovery_asked'; isReady: boolean; stopLink: string; validMs: number }
  /** To the mailbox that may finish it. `validMs`: from when it was asked for until it ends. */
  | { kind: 'recovery_ready'; finishLink: string; stopLink: string; validMs: number }
  | { kind: 'recovery_stopped'; forgotUrl: string }
  | { kind: 'recovery_done'; forgotUrl: string }

export type LetterKind = Content['kind']

/** A letter not yet written. It goes to an address that is stored, never to what somebody typed. */
export type Letter = {
  to: string
  userId: string | null
  content: Content
  occasion: Occasion
  /** Milliseconds after which it is of no use and is not sent any more; absent: as long as delivery is tried. */
  uselessAfter?: number
}

export type Outbox = {
  /**
   * Part of the unit of work it is called in: the letter leaves if what causes it is committed, and only then.
   * Costs the request one row, whether or not mail can be delivered.
   */
  post(letter: Letter): Promise<void>
}

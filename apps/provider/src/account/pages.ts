import { type FieldError, type Form, type PageData, view } from '../http/view.ts'
import type { Day } from '../lib/day.ts'
import type { RecoveryInWords } from '../methods/lost-factors/words.ts'

type Person = { name: string | null; email: string }

/** A recovery that runs (decision 019), told where the person is signed in, with the form that stops it. */
type RecoveryNotice = Form & RecoveryInWords

/** What is the same for all pages of somebody who is signed in. */
export type Frame = { signOut: Form; recovery: RecoveryNotice | null }

/** What stands on every page of the console. */
export type Console = Frame & { tabs: { label: string; url: string; isCurrent: boolean }[] }
type ConsolePage = PageData & { console: Console }

/** Where the sections of the console are. A new one is a line here. */
const TABS = [
  { label: 'Profile', url: '/account' },
  { label: 'Security', url: '/account/security' },
]
type Section = 'Profile' | 'Security'

export const consoleOf = (section: Section, frame: Frame): Console => ({
  tabs: TABS.map((tab) => ({ ...tab, isCurrent: tab.label === section })),
  ...frame,
})

export const homePage = view<
  PageData & {
    person: Person | null
    signInUrl: string
    /** Null where new accounts cannot be created. */
    registerUrl: string | null
    accountUrl: string
    signOut: Form | null
    recovery: RecoveryNotice | null
  }
>('home')

export const profilePage = view<
  ConsolePage &
    Form & {
      notice: string | null
      /** What is offered to them; null where nothing is. */
      offer: string | null
      person: Person & { emailVerified: boolean }
      /** As it was typed. */
      name: string
      errors: FieldError[]
      addressUrl: string
      verifyUrl: string
    }
>('account/profile')

export const securityPage = view<ConsolePage & { notice: string | null; panels: string[] }>(
  'account/security',
)

/** Among the panels of that page. */
export const devicesPart = view<{
  devices: { id: string; name: string; trusted: Day; until: Day; isThis: boolean }[]
  forgetAction: string
  forgetAllAction: string
  csrf: string
}>('account/devices')

/** A step of setting a way in up, what is shown once, or what is offered. */
export const wayPage = view<ConsolePage & { notice: string | null; part: string }>('account/way')

export const passwordPage = view<
  ConsolePage &
    Form & {
      hasPassword: boolean
      /** For the browser's password store. */
      email: string
      minLength: number
      errors: FieldError[]
      forgotUrl: string
      backUrl: string
    }
>('account/password')

export const addressPage = view<
  ConsolePage & Form & { email: string; typed: string; errors: FieldError[]; backUrl: string }
>('account/address')

/** A code from a letter: for a new address, or for the one an account has. */
export const codePage = view<
  ConsolePage &
    Form & {
      address: string
      /** Whether the address is still to become theirs. */
      isNew: boolean
      again: string
      errors: FieldError[]
      backUrl: string
    }
>('account/code')

/** What the link of a confirming letter leads to; without a form in a browser in which nobody is signed in. */
export const verifyLinkPage = view<
  PageData & { address: string; token: string; form: Form | null; signInUrl: string }
>('account/verify-link')

export const undoPage = view<PageData & Form & { address: string; token: string }>('account/undo')
export const undonePage = view<PageData & { address: string; forgotUrl: string }>('account/undone')

export const forgotPage = view<PageData & Form & { email: string; errors: FieldError[]; signInUrl: string }>(
  'recovery/forgot',
)

/** Where one may go on. */
type WayOn = { label: string; url: string }

export const forgotSentPage = view<PageData & { email: string; minutes: string; wayOn: WayOn }>(
  'recovery/forgot-sent',
)

export const resetPage = view<
  PageData & Form & { email: string; token: string; minLength: number; errors: FieldError[] }
>('recovery/reset')

export const savedPage = view<PageData & { wayOn: WayOn }>('recovery/saved')

/** What the two links of letters about a recovery lead to. */
type RecoveryLink = PageData & Form & { askedAt: string; token: string }
export const recoverPage = view<RecoveryLink & { address: string }>('recovery/recover')
export const recoveredPage = view<PageData & { signInUrl: string }>('recovery/recovered')
export const stopRecoveryPage = view<RecoveryLink>('recovery/stop')
export const recoveryStoppedPage = view<PageData & { passwordUrl: string }>('recovery/stopped')

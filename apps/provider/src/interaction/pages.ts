import { type FieldError, type Form, type PageData, type Views, view } from '../http/view.ts'
import type { RecoveryInWords } from '../methods/lost-factors/words.ts'
import type { Attempt, SignInMethod } from '../methods/method.ts'
import type { ClientLine } from './journey.ts'

type ShownClient = { name: string; host: string | null } | null

export const signInPage = view<
  PageData & {
    client: ShownClient
    doors: string[]
    action: string
    csrf: string
    email: string
    errors: FieldError[]
    registerUrl: string | null
    cancel: Form | null
  }
>('interaction/sign-in')

/** A method on a page of its own. */
export const methodPage = view<
  PageData & { part: string; errors: FieldError[]; ways: { label: string; url: string }[]; cancel: Form }
>('interaction/method')

/** Setting up what the person must have; `goOn` once it is there. */
export const enrolPage = view<
  PageData & {
    client: ShownClient
    csrf: string
    ways: { label: string; action: string }[]
    goOn: string | null
    cancel: Form
  }
>('interaction/enrol')

/** A page on the way there; `otherUrl` where there is a choice, `later` where it is only offered. */
export const managePage = view<
  PageData & { part: string; otherUrl: string | null; later: Form | null; cancel: Form | null }
>('interaction/manage')

/** For a person at their second step who has lost all there is; `running` once they have asked. */
export const lostPage = view<
  PageData & {
    address: string
    ways: { label: string; url: string }[]
    wait: string
    running: RecoveryInWords | null
    action: string
    csrf: string
    errors: FieldError[]
    cancel: Form
  }
>('interaction/lost')

/** For a person who is signed in while a recovery of their account runs, or has just been stopped. */
export const recoveryAskedPage = view<
  PageData & {
    running: RecoveryInWords | null
    action: string
    stopAction: string
    csrf: string
    passwordUrl: string
  }
>('interaction/recovery-asked')

/** For a person who is signed in and has not confirmed their address. */
export const confirmPage = view<
  PageData & {
    client: ShownClient
    address: string
    action: string
    again: string
    csrf: string
    errors: FieldError[]
    cancel: Form
  }
>('interaction/confirm-address')

/** What a mailed link leads to. */
export const linkPage = view<
  PageData & {
    client: { name: string } | null
    address: string
    action: string
    csrf: string
    token: string
  }
>('interaction/link')

export const createAccountPage = view<
  PageData & {
    client: ShownClient
    action: string
    csrf: string
    email: string
    name: string
    proof: string
    errors: FieldError[]
    signInUrl: string
  }
>('interaction/create-account')

export const consentPage = view<
  PageData & {
    client: { name: string; host: string; uri: string | null; logo: null; verified: boolean }
    person: { email: string; name: string | null }
    redirectHost: string
    required: string[]
    optional: { name: string; value: string; label: string }[]
    action: string
    csrf: string
    cancel: Form
  }
>('interaction/consent')

/** Nobody needs to be told that our own pages are on the way to our own pages. */
export const shown = (client: ClientLine): ShownClient =>
  client.own ? null : { name: client.name, host: client.host }

/** The parts of all first factors, in the order of the list; errors belong to the one that was tried. */
export function drawDoors(
  views: Views,
  methods: SignInMethod[],
  tried: { attemptFor: (method: SignInMethod) => Attempt; id: string | null; errors: FieldError[] },
): string[] {
  return methods
    .filter((method) => method.step !== 'second')
    .map((method) => {
      const part = method.show(tried.attemptFor(method), method.id === tried.id ? tried.errors : [])
      return views.fragment(part.view, part.data)
    })
}

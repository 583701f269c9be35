import type { AuditEvent } from '../audit/event.ts'
import type { Fields } from '../http/fields.ts'
import type { FieldError, Form, View } from '../http/view.ts'
import type { Amr } from '../lib/amr.ts'
import type { Allowance, Lock } from '../limits/store.ts'
import type { Content, Occasion } from '../mail/letter.ts'
import type { NewCredential, User } from '../users/user.ts'
import type { Manage } from './manage.ts'

export type { Amr } from '../lib/amr.ts'

/**
 * Whom a proof showed to be there; `isNew` where the proof made the account. `notice`: what the log and the owner's mailbox
 * are told of this proof besides the sign-in, in the same transaction.
 */
export type Person = { user: User; isNew: boolean; notice?: { event: AuditEvent; letter: Content } }

/** Who is this? Reasons are for the log; people read `errors`. `forgets`: what need not be counted of whoever proved that much. */
export type Outcome =
  | { ok: true; amr: Amr[]; user: User; forgets?: Allowance[] }
  /**
   * The proof is good, for one of those who bring it: `claim` runs in the transaction that signs the person in. Null when
   * somebody else was first. @throws AddressTaken
   */
  | { ok: true; amr: Amr[]; claim: () => Promise<Person | null>; forgets?: Allowance[] }
  | {
      ok: false
      reason: 'wrong' | 'incomplete' | 'expired' | 'replayed'
      errors: FieldError[]
      userId?: string
    }

/** What a method has sent and now waits for, kept with the journey: a challenge, and to whom it went as it was typed. */
export type Pending = { id: string; address: string }
export type Begun = { ok: true; begun: Pending } | { ok: false; errors: FieldError[] }

/** One try at signing in, as much of it as a method needs to see. */
export type Attempt = {
  /** The person the first factor proved; null while this is the first factor. */
  user: User | null
  /** What the browser sent; every field is '' before anything was. */
  fields: Fields
  /** Where this method's form posts to, and the value that keeps other sites from posting it. */
  action: string
  csrf: string
  /** The address the app says the person uses (`login_hint`), or what was typed before. */
  hint: string
  /** What this method began in this journey. */
  begun: Pending | null
  /** The journey, as what is sent out is bound to it. */
  place: string
  /** The app the person is on the way to; null for our own pages. */
  clientName: string | null
  occasion: Occasion
  /** A mailed link that leads back into this journey, in this browser. */
  linkOf: (token: string) => string
  /** The offer to let this browser stand in from now on; null where it never could. */
  trust: TrustOffer | null
}

/** `length`: for how long, in words. `isTicked`: the person took the offer with what they sent. */
export type TrustOffer = { length: string; isTicked: boolean }

/** A part of a page, with the data it needs. */
export type Part = { view: View<object>; data: object }
export const part = <Data extends object>(view: View<Data>, data: NoInfer<Data>): Part => ({ view, data })

/** `add` begins setting it up, `later` puts it off; `isPage` where it is a page by itself. */
export type Offer = (forms: { add: Form; later: Form; isPage: boolean }) => { part: Part; title: string }

/** What a new person brings at sign-up. */
export type Enrolment =
  | { ok: true; credential: NewCredential; amr: Amr[] }
  | { ok: false; errors: FieldError[] }

/**
 * A way for a person to prove who they are. One folder in methods/ is one of these.
 * It answers one question and never touches a session, a cookie, consent, a rate limit or a redirect to the client.
 */
export type SignInMethod = {
  /** Stable: folder name, address segment, credential type and audit label. */
  id: string
  /** Of its own page. */
  title?: string
  /** Browser scripts of that page, by file name. */
  scripts?: string[]
  /** How it is offered beside another one: *Use a recovery code*. */
  invitation?: string
  /** How it is set up in the middle of signing in: the words of the button, and the acts of `manage` that do it, in their order. */
  enrolment?: { label: string; acts: string[] }
  step: 'first' | 'second' | 'both'
  /** As a second factor it may make a browser one that stands in for it: its page has the tick box. */
  vouchesForDevice?: true
  /** What a thief would have to take: two of one kind are one factor. */
  kind: 'knowledge' | 'mailbox' | 'possession' | 'upstream' | 'wallet'
  /** Its part of the sign-in page stands in the form that asks for the address. */
  needsAddress?: true
  /** Draws its part of the sign-in page, or, once it has begun, its own page. Sends nothing, remembers nothing. */
  show(attempt: Attempt, errors: FieldError[]): Part
  /**
   * Runs one try, from its first look at the request on, when there is room for it; for methods whose proof is costly.
   * @throws Problem 503 when too many wait already, at next to no cost
   */
  admit?<T>(attempt: () => Promise<T>): Promise<T>
  /** What one try costs; taken before `verify`, the first ones given back when it was right. */
  allowances(attempt: Attempt, network: string): Allowance[]
  /** What sending once costs; all given back when nothing was sent. */
  beginAllowances?(attempt: Attempt, network: string): Allowance[]
  /** Sends what the person has to bring back; part of a transaction. For methods that work in two steps. */
  begin?(attempt: Attempt): Promise<Begun>
  /** Whether what was begun can still be brought to an end. */
  resume?(begun: Pending): Promise<boolean>
  verify(attempt: Attempt): Promise<Outcome>
  /** Whether the person could bring this proof. */
  isEnrolled?(user: User): Promise<boolean>
  /** Offers it to somebody who has none and does not need one. */
  offer?: Offer
  /** What the person can do with it in their account. */
  manage?: Manage
  /** What the owner is told when tries without success have closed this way. */
  lockLetter?(lock: Lock): Content
  /** How a new person starts with this method; absent where nobody can. */
  enrol?: {
    show(errors: FieldError[]): Part
    /** Judges what was typed and makes the credential; `about` is what is known of the person, for judging. */
    prepare(fields: Fields, about: string[]): Promise<Enrolment>
  }
}

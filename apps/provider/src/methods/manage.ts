// What a person can do with a way in of theirs, in their account.
import type { AuditEvent } from '../audit/event.ts'
import type { Fields } from '../http/fields.ts'
import type { FieldError } from '../http/view.ts'
import type { Amr } from '../lib/amr.ts'
import type { Allowance } from '../limits/store.ts'
import type { Content } from '../mail/letter.ts'
import type { User } from '../users/user.ts'
import type { Part } from './method.ts'

/** One look or one act of a person who is signed in and, for an act, has proved it within minutes. */
export type ManageAttempt = {
  user: User
  fields: Fields
  /** The forms of the panel post to `${action}/${act}`. */
  action: string
  csrf: string
  /** This browser's session: what is begun here ends here. */
  place: string
  /** Where a page leads on that is done with. */
  doneUrl: string
}

/** A page of its own. `scripts`: browser scripts by file name. */
export type ManagePage = { part: Part; title: string; scripts?: string[] }

/** What changed, told to the log and to the owner's mailbox. */
export type Change = {
  event: AuditEvent
  letter: Content
  /** Where something is shown once. */
  page?: ManagePage
  /** What setting it up has shown of the person; absent where they have to bring it once more to show it. */
  shown?: Amr[]
  /** What came with it, for the log. */
  further?: AuditEvent[]
  /** Tries at what is no more: counted anew. */
  forgets?: Allowance[]
}

export type Managed =
  /** The next page on the way; with errors it is the same again. */
  | { page: ManagePage; errors: FieldError[] }
  /**
   * The change itself runs in a transaction in which everything that stands for the person elsewhere ends. Errors where it
   * cannot be made (any more): nothing of the transaction is kept.
   */
  | { change: () => Promise<Change | { page: ManagePage; errors: FieldError[] }> }
  /** A change that lets nobody in or out: it runs in a transaction, nothing ends, and nobody is written to. */
  | { relabel: () => Promise<AuditEvent> }

/** Ends the transaction of a change that could not be made. */
export class ChangeRefused extends Error {
  override name = 'ChangeRefused'
  readonly page: ManagePage
  constructor(page: ManagePage) {
    super('the change could not be made')
    this.page = page
  }
}

/** Inside the transaction. @throws ChangeRefused, so that nothing of it is kept */
export async function makeChange({ change }: Extract<Managed, { change: unknown }>): Promise<Change> {
  const made = await change()
  if ('errors' in made) throw new ChangeRefused(made.page)
  return made
}

export type Manage = {
  /** Its panel among the ways in of the person. */
  panel(attempt: ManageAttempt): Promise<Part>
  /** By the last segment of the address. */
  acts: Record<string, (attempt: ManageAttempt) => Promise<Managed>>
}

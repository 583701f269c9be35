/**
 * Something a request did that we refuse, told in words a person can use.
 * `what` happened and what `todo` about it are shown; a private cause goes to the log alone.
 */
export class Problem extends Error {
  override name = 'Problem'
  status: number
  what: string
  todo: string
  /** Seconds after which trying again makes sense: the Retry-After header (RFC 9110, section 10.2.3). */
  retryAfter: number | undefined
  back: { label: string; url: string } | null | undefined

  constructor(
    status: number,
    what: string,
    todo: string,
    more: { retryAfter?: number; cause?: unknown; back?: { label: string; url: string } | null } = {},
  ) {
    super(what, { cause: more.cause })
    this.status = status
    this.what = what
    this.todo = todo
    this.retryAfter = more.retryAfter
    this.back = more.back
  }
}

export const badRequest = (what: string) => new Problem(400, what, 'Go back and try again.')
export const notFound = () =>
  new Problem(404, 'There is no page at this address.', 'Check the address, or start from the front page.')
export const tooBusy = (retryAfter: number, cause?: unknown) =>
  new Problem(503, 'We cannot answer right now.', 'Nothing of yours is lost. Wait a moment and try again.', {
    retryAfter,
    cause,
  })

/** Whole minutes once there is more than one: nobody counts to 840 seconds. */
export const wait = (seconds: number): string =>
  seconds > 90 ? `${Math.ceil(seconds / 60)} minutes` : seconds > 1 ? `${seconds} seconds` : 'a second'

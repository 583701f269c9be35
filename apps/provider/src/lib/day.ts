/** A day as pages tell it: for `<time datetime>`, and for people. */
export type Day = { iso: string; text: string }

const DATE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' })

/** `22 November 2026`, in UTC. */
export const dayOf = (at: Date): Day => ({ iso: at.toISOString(), text: DATE.format(at) })

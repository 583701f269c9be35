/** Durations are milliseconds, written `10 * MINUTE`. */
export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** The clock is a parameter everywhere; tests set it, `main.ts` passes this one. */
export type Clock = () => Date
export const systemClock: Clock = () => new Date()

import { DAY, HOUR, MINUTE, SECOND } from './clock.ts'

const UNITS: Record<string, number> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY }

/** `10m` → 600000. Milliseconds, or null when it is not written as a number and one of ms, s, m, h, d. */
export function parseDuration(text: string): number | null {
  const [, amount, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? []
  return amount && unit ? Number(amount) * UNITS[unit]! : null
}

/** Milliseconds as whole seconds, what the protocol counts in; never below 1. */
export const seconds = (ms: number): number => Math.max(1, Math.floor(ms / SECOND))

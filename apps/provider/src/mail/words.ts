// What a letter says of times and lengths, in words.
import { DAY, HOUR, MINUTE, SECOND } from '../lib/clock.ts'

const TIME = new Intl.DateTimeFormat('en-GB', {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
  timeZone: 'UTC',
})

/** `Sunday 22 November 2026 at 22:14 UTC` */
export function timeInWords(at: Date): string {
  const part = Object.fromEntries(TIME.formatToParts(at).map(({ type, value }) => [type, value]))
  const { weekday, day, month, year, hour, minute } = part
  return `${weekday} ${day} ${month} ${year} at ${hour}:${minute} UTC`
}

/** `22:14 UTC`, for what is over within hours; later than that with its day. */
export function endInWords(from: Date, ms: number): string {
  const end = timeInWords(new Date(from.getTime() + ms))
  return ms < DAY / 2 ? end.slice(end.indexOf(' at ') + ' at '.length) : end
}

const UNITS = [
  [DAY, 'day'],
  [HOUR, 'hour'],
  [MINUTE, 'minute'],
  [SECOND, 'second'],
] as const

/** `10 minutes`, `1 hour`, `90 minutes`: the largest unit that says it without a remainder. */
export function durationInWords(ms: number): string {
  const whole = Math.max(1, Math.floor(ms / SECOND)) * SECOND
  const [unit, name] = UNITS.find(([length]) => whole % length === 0)!
  const count = whole / unit
  return `${count} ${name}${count === 1 ? '' : 's'}`
}

const NAME_MAX = 100

/** Somebody else's words as part of a sentence of ours: one line, no controls, nothing a reader's program makes a link of. */
export function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replace(/\w*:\/\/|\bwww\./gi, '')
    .trim()
    .slice(0, NAME_MAX)
}

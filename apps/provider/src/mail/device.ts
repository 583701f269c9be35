import Bowser from 'bowser'

const UNKNOWN = 'an unknown device'
const LONGEST = 300
/** What a name of a browser or system looks like; the rest of a user agent is whatever somebody wrote into it. */
const NAME = /^[\p{L}\d][\p{L}\d .+-]{0,30}$/u

/** `Chrome on Windows`; a hint at most, because a user agent says what its owner wants. */
export function deviceOf(userAgent: string): string {
  if (!userAgent) return UNKNOWN
  const { browser, os } = Bowser.parse(userAgent.slice(0, LONGEST))
  const [program, system] = [browser.name, os.name].map((name) => (name && NAME.test(name) ? name : null))
  if (program && system) return `${program} on ${system}`
  return program ?? (system ? `an unknown browser on ${system}` : UNKNOWN)
}

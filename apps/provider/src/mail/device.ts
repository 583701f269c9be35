import Bowser from 'bowser'

const UNKNOWN = 'an unknown device'
const LONGEST = 300
/** Whatever else a user agent calls itself is somebody's own words, which have no place in our letter. */
const KNOWN = new Set<unknown>([...Object.values(Bowser.BROWSER_MAP), ...Object.values(Bowser.OS_MAP)])

/** `Chrome on Windows`; a hint at most, because a user agent says what its owner wants. */
export function deviceOf(userAgent: string): string {
  if (!userAgent) return UNKNOWN
  const { browser, os } = Bowser.parse(userAgent.slice(0, LONGEST))
  const [program, system] = [browser.name, os.name].map((name) => (KNOWN.has(name) ? name : null))
  if (program && system) return `${program} on ${system}`
  return program ?? (system ? `an unknown browser on ${system}` : UNKNOWN)
}

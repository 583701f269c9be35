/** Cookies ignore ports, so ours wear our name; over https the browser itself guards the prefix (RFC 6265bis, 4.1.3). */
export function cookieNames(issuer: string) {
  const https = issuer.startsWith('https:')
  const host = https ? '__Host-' : ''
  const secure = https ? '__Secure-' : ''
  return {
    csrf: `${host}anteroom_csrf`,
    session: `${host}anteroom_session`,
    // Scoped to the path of one interaction, which `__Host-` does not allow.
    interaction: `${secure}anteroom_interaction`,
    resume: `${secure}anteroom_resume`,
    /** The secret of a mailed link, on the page it leads to. */
    link: `${secure}anteroom_link`,
    /** What was done a moment ago, for the page that follows to say. */
    notice: `${host}anteroom_notice`,
    /** Which app a person came from, so that a stale page can lead back there. */
    origin: `${host}anteroom_origin`,
    /** The recovery whose notice was read here lately. */
    recovery: `${host}anteroom_recovery`,
    /** Who has signed in here before, as MACs that tell nobody else. */
    browser: `${host}anteroom_browser`,
    /** Whether a passkey is offered here. Without a prefix: the script that writes it knows no issuer. */
    passkeys: 'anteroom_passkeys',
    /** What people were told to trust this browser by, as secrets that name nobody. */
    device: `${host}anteroom_device`,
  }
}

export const cookieOptions = { httpOnly: true, sameSite: 'lax', path: '/' } as const

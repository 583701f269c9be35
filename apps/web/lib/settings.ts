// Every setting of this app, read from the environment in one place. Server code only.

const env = process.env
const apiUrl = env.API_URL || 'http://localhost:8000'

// next-auth reads this one itself (and NEXTAUTH_SECRET, which encrypts its cookies): one default for both.
env.NEXTAUTH_URL ||= 'http://localhost:3000'

export const settings = {
  /** Origin of this app. The redirect URIs registered with the issuer start with it. */
  appUrl: new URL(env.NEXTAUTH_URL).origin,
  issuer: env.ANTEROOM_ISSUER || 'http://localhost:4000',
  clientId: env.ANTEROOM_CLIENT_ID ?? '',
  clientSecret: env.ANTEROOM_CLIENT_SECRET ?? '',
  apiUrl,
  /** The name the API goes by in access tokens (`aud`); usually its own URL. */
  apiAudience: env.API_AUDIENCE || apiUrl,
}

const REQUIRED = ['ANTEROOM_CLIENT_ID', 'ANTEROOM_CLIENT_SECRET', 'NEXTAUTH_SECRET']

/** Ends the process with a sentence when a required setting is missing. For start-up: a build needs none. */
export function requireSettings(): void {
  const missing = REQUIRED.filter((name) => !env[name])
  if (missing.length === 0) return
  console.error(`This app cannot start without ${missing.join(', ')}. Please set them in the environment.`)
  process.exit(1)
}

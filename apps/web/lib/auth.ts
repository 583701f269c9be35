// How this app signs people in: next-auth 4 with Anteroom as its only provider.
import { getServerSession, type NextAuthOptions } from 'next-auth'
import type { JWT } from 'next-auth/jwt'
import { settings } from '@/lib/settings'
import { isStale, keep, refresh } from '@/lib/tokens'

export const authOptions: NextAuthOptions = {
  session: { strategy: 'jwt' },
  // Our own page instead of next-auth's list of providers and its error page.
  pages: { signIn: '/', error: '/' },
  providers: [
    {
      id: 'anteroom',
      name: 'Anteroom',
      type: 'oauth',
      wellKnown: `${settings.issuer}/.well-known/openid-configuration`,
      clientId: settings.clientId,
      clientSecret: settings.clientSecret,
      authorization: {
        params: {
          // offline_access asks for a refresh token, api:read for leave to call the API.
          scope: 'openid profile email offline_access api:read',
          // Whom the access token is for (RFC 8707). With it the token is a JWT that the API can verify.
          resource: settings.apiAudience,
        },
      },
      // The profile comes from the ID token: an access token made for the API is refused at userinfo.
      idToken: true,
      checks: ['pkce', 'state', 'nonce'],
      // The default of 3.5 seconds is short for machines that are just starting up.
      httpOptions: { timeout: 10_000 },
      profile: (claims) => ({ id: claims.sub, name: claims.name ?? null, email: claims.email ?? null }),
    },
  ],
  callbacks: {
    // The only place that writes the encrypted session cookie. `account` is there at sign-in alone.
    async jwt({ token, account }) {
      if (account) return { sub: token.sub, name: token.name, email: token.email, ...keep(account) }
      return isStale(token) ? refresh(token) : token
    },
    // What /api/auth/session shows to scripts in the browser. Tokens never go in here.
    session({ session, token }) {
      return { ...session, error: token.error }
    },
  },
}

const readOnly = {
  ...authOptions,
  callbacks: {
    jwt: ({ token }: { token: JWT }) => token,
    session: ({ token }: { token: JWT }) => token,
  },
}

/**
 * The signed-in person together with their tokens, or null. For server code only.
 *
 * It reads and never refreshes: a Server Component cannot set cookies, so what it refreshed would be lost.
 * proxy.ts has done it before the page renders.
 */
export function getSessionWithTokens(): Promise<JWT | null> {
  return getServerSession(readOnly)
}

declare module 'next-auth' {
  interface Session {
    error?: 'sign_in_again'
  }
}

// The one page of this app: who you are, and what the API says to you.
import type { JWT } from 'next-auth/jwt'
import { ApiSection } from '@/app/api-section'
import { fetchGreeting } from '@/lib/api'
import { getSessionWithTokens } from '@/lib/auth'
import { settings } from '@/lib/settings'

// The codes next-auth puts into the address when a sign-in fails, and one of our own (see sign-out/route.ts).
const NOTICES = new Map([
  ['SessionEnded', 'Your session has ended. Please sign in again.'],
  ['SignedOutHereOnly', 'You are signed out here, but Anteroom could not be reached to sign you out there.'],
  ['Callback', 'You were not signed in. You can try again whenever you like.'],
  ['OAuthSignin', 'Anteroom cannot be reached just now. Please try again in a moment.'],
])
const OTHER_NOTICE = 'Signing in did not work. Please try again.'

interface Props {
  searchParams: Promise<{ error?: string | string[] }>
}

export default async function Home({ searchParams }: Props) {
  const session = await getSessionWithTokens()
  if (session?.access_token) return <SignedIn session={session} accessToken={session.access_token} />
  const { error } = await searchParams
  return <SignedOut error={session?.error ? 'SessionEnded' : error?.toString()} />
}

function SignedOut({ error }: { error?: string }) {
  return (
    <main>
      <p className="eyebrow">Anteroom demo</p>
      {error && (
        <p className="notice" role="alert">
          {NOTICES.get(error) ?? OTHER_NOTICE}
        </p>
      )}
      <h1>An app without a password box.</h1>
      <p className="lead">
        This small Next.js app leaves signing in to <strong>Anteroom</strong> at{' '}
        {new URL(settings.issuer).host}. You prove there who you are, and come back with your name, your
        e-mail address and leave to call an API.
      </p>
      <form action="/sign-in" method="post">
        <button type="submit">Sign in</button>
      </form>
    </main>
  )
}

async function SignedIn({ session, accessToken }: { session: JWT; accessToken: string }) {
  // Called here on the server: the browser sees the answer and never the token.
  const answer = await fetchGreeting(accessToken)
  return (
    <main>
      <p className="eyebrow">Anteroom demo</p>
      <h1>Hello, {session.name ?? session.email}</h1>
      <p className="lead">
        You are signed in as <strong>{session.email}</strong>.
      </p>
      <ApiSection answer={answer} />
      <form action="/sign-out" method="post">
        <button type="submit" className="quiet">
          Sign out
        </button>
      </form>
    </main>
  )
}

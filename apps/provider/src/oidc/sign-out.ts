import type { KoaContextWithOIDC } from 'oidc-provider'
import { afterSignOut, type Ending, endSession } from '../artifacts/end-session.ts'
import { cookieNames, cookieOptions } from '../http/cookies.ts'
import type { Csrf } from '../http/csrf.ts'
import { seeOther, sendPage } from '../http/reply.ts'
import { type PageData, type Views, view } from '../http/view.ts'
import type { UserStore } from '../users/store.ts'

type ClientLine = { name: string; host: string | null }

const signOutPage = view<
  PageData & { client: ClientLine | null; person: { email: string } | null; action: string; csrf: string }
>('interaction/sign-out')
const signedOutPage = view<PageData & { client: { name: string; uri: string | null } | null }>(
  'interaction/signed-out',
)

type Dependencies = {
  views: Views
  csrf: Csrf
  users: UserStore
  issuer: string
  ending: Ending
}

/** RP-Initiated Logout 1.0: what a person sees when an app sends them here to sign out. */
export function createSignOut({ views, csrf, users, issuer, ending }: Dependencies) {
  return {
    enabled: true,

    /** An app that proves with an ID token of this very session that it speaks for the person is believed; others ask. */
    async logoutSource(ctx: KoaContextWithOIDC) {
      if (hintMatchesSession(ctx)) return signOutNow(ctx)
      const person = await users.findUser(String(ctx.oidc.session?.accountId))
      const data = {
        client: clientLine(ctx),
        person: person && { email: person.email },
        action: '/sign-out?back=app',
        csrf: csrf.token(ctx),
      }
      sendPage(ctx, views.page(signOutPage, { title: 'Sign out', ...data }))
    },

    postLogoutSuccessSource(ctx: KoaContextWithOIDC) {
      const { client } = ctx.oidc
      const line = client
        ? { name: client.clientName ?? client.clientId, uri: client.clientUri ?? null }
        : null
      sendPage(ctx, views.page(signedOutPage, { title: 'You are signed out', client: line }))
    },
  }

  async function signOutNow(ctx: KoaContextWithOIDC) {
    const { session, params, provider } = ctx.oidc
    await endSession(session!, ending)
    ctx.cookies.set(cookieNames(issuer).session, null, cookieOptions)
    provider.emit('end_session.success', ctx)
    seeOther(ctx, afterSignOut(issuer, params?.['post_logout_redirect_uri'], params?.['state']))
  }
}

function hintMatchesSession({ oidc }: KoaContextWithOIDC): boolean {
  const hint = oidc.entities.IdTokenHint?.payload
  if (!hint || !oidc.session || hint['sub'] !== oidc.session.accountId) return false
  return hint['sid'] === undefined || hint['sid'] === oidc.session.sidFor(String(oidc.client?.clientId))
}

function clientLine({ oidc }: KoaContextWithOIDC): ClientLine | null {
  const { client } = oidc
  if (!client) return null
  return {
    name: client.clientName ?? client.clientId,
    host: client.clientUri ? new URL(client.clientUri).host : null,
  }
}

// Our own front page and the account console: ordinary pages that read the engine's session.
import { randomBytes } from 'node:crypto'
import Router from '@koa/router'
import type { Context } from 'koa'
import type { Provider } from 'oidc-provider'
import type { Config } from '../config.ts'
import type { Csrf } from '../http/csrf.ts'
import { seeOther, sendPage } from '../http/reply.ts'
import { type PageData, type Views, view } from '../http/view.ts'
import type { UserStore } from '../users/store.ts'
import type { User } from '../users/user.ts'

type SignOutForm = { action: string; csrf: string }

const homePage = view<
  PageData & {
    person: { name: string | null; email: string } | null
    signInUrl: string
    /** Null where new accounts cannot be created. */
    registerUrl: string | null
    accountUrl: string
    signOut: SignOutForm | null
  }
>('home')

const accountPage = view<
  PageData & { person: { name: string | null; email: string; emailVerified: boolean }; signOut: SignOutForm }
>('account/home')

type Dependencies = {
  provider: Provider
  users: UserStore
  views: Views
  csrf: Csrf
  ownClientId: string
  config: Config
}

export function accountRoutes({ provider, users, views, csrf, ownClientId, config }: Dependencies): Router {
  const router = new Router()

  router.get('/', async (ctx) => {
    const person = await signedIn(ctx)
    const page = views.page(homePage, {
      title: `Welcome to ${config.branding.name}`,
      person,
      signInUrl: '/sign-in',
      registerUrl: config.policy.registration.open ? '/register' : null,
      accountUrl: '/account',
      signOut: person && signOut(ctx),
    })
    sendPage(ctx, page)
  })

  router.get('/account', async (ctx) => {
    const person = await signedIn(ctx)
    if (!person) return seeOther(ctx, ctx.query['error'] ? '/' : authorization())
    if (ctx.querystring) return seeOther(ctx, '/account')
    sendPage(ctx, views.page(accountPage, { title: 'Your account', person, signOut: signOut(ctx) }))
  })

  router.get('/sign-in', (ctx) => seeOther(ctx, authorization()))
  router.get('/register', (ctx) => seeOther(ctx, authorization('create')))

  return router

  /** Our pages come in by the same door as any app, with a client that takes no token. */
  function authorization(prompt?: string): string {
    const query = new URLSearchParams({
      client_id: ownClientId,
      response_type: 'none',
      scope: 'openid',
      redirect_uri: `${provider.issuer}/account`,
      state: randomBytes(16).toString('base64url'),
      ...(prompt && { prompt }),
    })
    return `${provider.pathFor('authorization')}?${query}`
  }

  function signOut(ctx: Context): SignOutForm {
    return { action: '/sign-out', csrf: csrf.token(ctx) }
  }

  async function signedIn(ctx: Context): Promise<User | null> {
    const { accountId } = await provider.Session.get(ctx)
    return accountId ? users.findUser(accountId) : null
  }
}

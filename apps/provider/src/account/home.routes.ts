import type Router from '@koa/router'
import { seeOther, sendPage } from '../http/reply.ts'
import { homePage } from './pages.ts'
import type { Room } from './room.routes.ts'

/** The front page, and the addresses that lead into the journey. */
export function homeRoutes(router: Router, { door, views, config }: Room): void {
  router.get('/', async (ctx) => {
    const visitor = await door.findVisitor(ctx)
    const frame = visitor && door.frame(ctx)
    const page = views.page(homePage, {
      title: `Welcome to ${config.branding.name}`,
      person: visitor ? visitor.user : null,
      signInUrl: '/sign-in',
      registerUrl: config.policy.registration.open ? '/register' : null,
      accountUrl: '/account',
      signOut: frame?.signOut ?? null,
      recovery: frame?.recovery ?? null,
    })
    sendPage(ctx, page)
  })

  router.get('/sign-in', (ctx) => seeOther(ctx, door.authorization('/account')))
  router.get('/register', (ctx) => seeOther(ctx, door.authorization('/account', { prompt: 'create' })))
}

import type { Context, Next } from 'koa'

/** `/livez`: the process runs. `/readyz`: it can serve; a load balancer sends people elsewhere while it cannot. */
export function health(isReady: () => Promise<boolean>) {
  return async (ctx: Context, next: Next) => {
    if (ctx.path === '/livez') {
      ctx.body = { status: 'alive' }
      return
    }
    if (ctx.path !== '/readyz') return next()
    const ready = await isReady()
    ctx.status = ready ? 200 : 503
    if (!ready) ctx.set('Retry-After', '5')
    ctx.body = { status: ready ? 'ready' : 'not ready' }
  }
}

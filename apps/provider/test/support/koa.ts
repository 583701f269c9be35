import Koa, { type Context, type Next } from 'koa'
import { listen } from '../../src/http/listen.ts'
import { Problem } from '../../src/http/problem.ts'

/** A server of middleware alone, as the provider would run it; a Problem is answered by its status and words. */
export async function serveKoa(...middleware: ((ctx: Context, next: Next) => unknown)[]) {
  const app = new Koa({ proxy: true, keys: ['test'] })
  app.silent = true
  app.use(answerProblems)
  for (const each of middleware) app.use(each)
  const server = await listen(app.callback(), { host: '127.0.0.1', port: 0 })
  return { address: `http://127.0.0.1:${server.port}`, close: server.stop }
}

export async function answerProblems(ctx: Context, next: Next) {
  try {
    await next()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    ctx.status = error.status
    ctx.body = error.what
  }
}

import type Router from '@koa/router'
import type { Context } from 'koa'
import { parseEmail } from '../lib/email.ts'
import { networkOf } from '../lib/networks.ts'
import { ofBrowser } from '../limits/known-browser.ts'
import type { Allowance } from '../limits/store.ts'
import type { Attempt, SignInMethod } from '../methods/method.ts'
import { type Attempts, SIGN_IN_PROMPTS } from './attempts.routes.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import type { Trials } from './trials.routes.ts'

type Deps = Pick<InteractionDependencies, 'browsers' | 'users'> & {
  gate: Gate
  attempts: Attempts
  tryProof: Trials
}

/** Lets a try in when its method has room for it. */
export const admitted = <T>({ admit }: SignInMethod, attempt: () => Promise<T>): Promise<T> =>
  admit ? admit(attempt) : attempt()

/** Proving who one is: the post of each method. */
export function signInRoutes(router: Router, { gate, attempts, tryProof, browsers, users }: Deps): void {
  router.post('/method/:id', (ctx) => {
    const method = attempts.methodOf(ctx)
    return admitted(method, () => verify(ctx, method))
  })

  async function verify(ctx: Context, method: SignInMethod) {
    const { journey, fields } = await gate.post(ctx, SIGN_IN_PROMPTS)
    const attempt = attempts.attempt(ctx, journey, { id: method.id, fields })
    await tryProof(ctx, journey, {
      method,
      attempt,
      allowances: await allowancesOf(ctx, method, attempt),
      redraw: (errors, status) => attempts.redraw(ctx, journey, { method, fields, errors, status }),
    })
  }

  /** In a browser where the person was signed in before, tries count for that browser: strangers cannot use them up. */
  async function allowancesOf(ctx: Context, method: SignInMethod, attempt: Attempt): Promise<Allowance[]> {
    const allowances = method.allowances(attempt, networkOf(ctx.ip))
    if (!browsers.isAny(ctx)) return allowances
    const email = parseEmail(attempt.begun?.address ?? attempt.fields('email'))
    const user = email && (await users.findUserByEmail(email.canonical))
    return user ? ofBrowser(browsers.idFor(ctx, user), allowances) : allowances
  }
}

import type Router from '@koa/router'
import type { Context } from 'koa'
import type { Fields } from '../http/fields.ts'
import { Problem, wait } from '../http/problem.ts'
import { sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { visitOf } from '../http/visit.ts'
import { networkOf } from '../lib/networks.ts'
import type { Allowance } from '../limits/store.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { createAccountPage, shown } from './pages.ts'
import { createRegistrar, type Newcomer } from './register.ts'
import { admitted, SIGN_IN_PROMPTS } from './sign-in.routes.ts'
import { decideSignIn } from './sign-in.ts'

/** Creating an account, in the middle of a journey: its end is a signed-in person on the way to the app. */
export function registerRoutes(router: Router, gate: Gate, deps: InteractionDependencies) {
  const { views, csrf, config, methods } = deps
  const method = methods.find((candidate) => candidate.enrol)
  if (!method?.enrol) throw new Error('no sign-in method lets a new person start')
  const { enrol } = method
  const register = createRegistrar({ ...deps, method })

  router.post('/register', (ctx) => admitted(method, () => create(ctx)))

  return { drawRegister }

  function drawRegister(
    ctx: Context,
    journey: Journey,
    tried?: { fields: Fields; errors: FieldError[]; status: number },
  ) {
    if (!config.policy.registration.open) throw closed()
    const errors = tried?.errors ?? []
    const proof = enrol.show(errors)
    const page = views.page(createAccountPage, {
      title: 'Create account',
      client: shown(journey.client),
      action: journeyPath(journey.uid, '/register'),
      csrf: csrf.token(ctx),
      email: tried?.fields('email') ?? journey.loginHint,
      name: tried?.fields('name') ?? '',
      proof: views.fragment(proof.view, proof.data),
      errors,
      signInUrl: journeyPath(journey.uid, '/sign-in'),
      scripts: ['password.js'],
    })
    sendPage(ctx, page, tried?.status ?? 200)
  }

  async function create(ctx: Context) {
    const { journey, fields } = await gate.post(ctx, SIGN_IN_PROMPTS)
    if (!config.policy.registration.open) throw closed()
    const allowances: Allowance[] = [{ limit: 'registration_per_ip', key: networkOf(ctx.ip) }]
    const seconds = await gate.take(allowances)
    if (seconds !== null) {
      ctx.set('Retry-After', String(seconds))
      const message = `Too many accounts were created from here. Wait ${wait(seconds)}, then try again.`
      return drawRegister(ctx, journey, { fields, errors: [{ field: 'email', message }], status: 429 })
    }

    const visit = { ...visitOf(ctx), clientId: journey.clientId }
    const welcome = async (newcomer: Newcomer) => {
      const login = decideSignIn(newcomer)
      await gate.record(ctx, { type: 'sign_in.succeeded', userId: login.accountId, amr: login.amr }, journey)
      await gate.finish(ctx, journey, { [journey.prompt]: {}, login })
    }
    const outcome = await gate.attempt(allowances, () => register(fields, visit, welcome))
    if (outcome.ok) return
    if (!outcome.taken) await gate.giveBack(allowances)
    drawRegister(ctx, journey, { fields, errors: outcome.errors, status: 422 })
  }
}

const closed = () =>
  new Problem(
    403,
    'New accounts cannot be created here.',
    'Ask whoever runs this service to create one for you.',
  )

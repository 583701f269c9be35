import type { Context } from 'koa'
import type { Fields } from '../http/fields.ts'
import { notFound } from '../http/problem.ts'
import { sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import type { Attempt, SignInMethod } from '../methods/method.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { drawDoors, methodPage, shown, signInPage } from './pages.ts'

/** Prompts at which a person who is not signed in may prove who they are. */
export const SIGN_IN_PROMPTS = ['login', 'create']

export const nothingTyped: Fields = () => ''

/** A method that was tried, what was typed, and what is to be said about it. */
export type Tried = { method: SignInMethod; fields: Fields; errors: FieldError[]; status: number }

export type Attempts = ReturnType<typeof createAttempts>

/** Everything between a method and the browser: one try as the method sees it, and the pages it is drawn on. */
export function createAttempts(gate: Gate, { views, csrf, methods, config }: InteractionDependencies) {
  const byId = new Map(
    methods.filter((method) => method.step !== 'second').map((method) => [method.id, method]),
  )

  return {
    methodOf(ctx: Context): SignInMethod {
      const method = byId.get(String(ctx['params'].id))
      if (!method) throw notFound()
      return method
    },

    attempt,
    drawSignIn,
    drawMethod,

    /** What was begun, for as long as it can go on. */
    async findBegun({ progress: { pending } }: Journey): Promise<Tried | null> {
      const method = pending && byId.get(pending.method)
      const isGoingOn = method && (await method.resume?.(pending.begun))
      return isGoingOn ? { method, fields: nothingTyped, errors: [], status: 200 } : null
    },

    /** The page that the try came from. */
    redraw(ctx: Context, journey: Journey, tried: Tried) {
      const hasBegun = journey.progress.pending?.method === tried.method.id
      return hasBegun ? drawMethod(ctx, journey, tried) : drawSignIn(ctx, journey, tried)
    },
  }

  /** The page of all first factors, as it is or with what went wrong in the one that was tried. */
  function drawSignIn(ctx: Context, journey: Journey, tried?: Tried) {
    const fields = tried?.fields ?? nothingTyped
    const errors = tried?.errors ?? []
    const attemptFor = (method: SignInMethod) => ({
      ...attempt(ctx, journey, { id: method.id, fields }),
      begun: null,
    })
    const page = views.page(signInPage, {
      title: 'Sign in',
      client: shown(journey.client),
      doors: drawDoors(views, methods, { attemptFor, id: tried?.method.id ?? null, errors }),
      action: journeyPath(journey.uid, `/method/${methods[0]!.id}`),
      csrf: csrf.token(ctx),
      email: fields('email') || journey.loginHint,
      errors,
      registerUrl: config.policy.registration.open ? journeyPath(journey.uid, '/register') : null,
      cancel: gate.cancelOf(ctx, journey),
      scripts: ['password.js'],
    })
    sendPage(ctx, page, tried?.status ?? 200)
  }

  /** The page of a method that waits for what it has sent. */
  function drawMethod(ctx: Context, journey: Journey, { method, fields, errors, status }: Tried) {
    const { view, data } = method.show(attempt(ctx, journey, { id: method.id, fields }), errors)
    const page = views.page(methodPage, {
      title: method.title ?? 'Sign in',
      part: views.fragment(view, data),
      errors,
      ways: [
        {
          label: 'Use another address or another way',
          url: journeyPath(journey.uid, journey.prompt === 'create' ? '/register' : '/sign-in'),
        },
      ],
      cancel: gate.cancelOf(ctx, journey),
    })
    sendPage(ctx, page, status)
  }

  function attempt(ctx: Context, journey: Journey, { id, fields }: { id: string; fields: Fields }): Attempt {
    const { uid, client } = journey
    const { pending } = journey.progress
    return {
      user: null,
      fields,
      action: journeyPath(uid, `/method/${id}`),
      csrf: csrf.token(ctx),
      hint: fields('email') || journey.loginHint,
      begun: pending?.method === id ? pending.begun : null,
      place: `interaction ${uid}`,
      clientName: client.own ? null : client.name,
      occasion: gate.occasionOf(ctx),
      trust: null,
      linkOf: (token) => `${config.ISSUER}${journeyPath(uid, '/link')}?token=${token}`,
    }
  }
}

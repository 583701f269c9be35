import type Router from '@koa/router'
import type { Context } from 'koa'
import type { Fields } from '../http/fields.ts'
import { Problem, wait } from '../http/problem.ts'
import { seeOther, sendPage } from '../http/reply.ts'
import type { FieldError } from '../http/view.ts'
import { networkOf } from '../lib/networks.ts'
import type { Allowance } from '../limits/store.ts'
import { letterOnItsWay } from '../limits/words.ts'
import { sendingAllowances } from '../methods/email-code/index.ts'
import { AddressTaken } from '../users/store.ts'
import type { Admission } from './admission.routes.ts'
import { type Attempts, nothingTyped, SIGN_IN_PROMPTS } from './attempts.routes.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { createAccountPage, shown } from './pages.ts'
import { judgeNewcomer, type Newcomer, TAKEN } from './register.ts'
import { admitted } from './sign-in.routes.ts'

type Deps = InteractionDependencies & { gate: Gate; attempts: Attempts; admission: Admission }
type Tried = { fields: Fields; errors: FieldError[]; status: number }

/** The method that proves mailboxes: a new account goes on from there. */
const MAILBOX_METHOD = 'email-code'

/** Creating an account, in the middle of a journey: its end is a signed-in person on the way to the app. */
export function registerRoutes(router: Router, deps: Deps) {
  const { views, csrf, config, methods, gate, attempts, admission, mailbox, addresses, users, scope } = deps
  const { registration } = config.policy
  const method = methods.find((candidate) => candidate.enrol)
  if (!method?.enrol) throw new Error('no sign-in method lets a new person start')
  const { enrol } = method

  router.post('/register', (ctx) => admitted(method, () => create(ctx)))

  return { drawRegister }

  function drawRegister(ctx: Context, journey: Journey, tried?: Tried) {
    if (!registration.open) throw closed()
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
      scripts: ['password.js', 'passkey.js'],
    })
    sendPage(ctx, page, tried?.status ?? 200)
  }

  async function create(ctx: Context) {
    const { journey, fields } = await gate.post(ctx, SIGN_IN_PROMPTS)
    if (!registration.open) throw closed()
    const allowances: Allowance[] = [{ limit: 'registration_per_ip', key: networkOf(ctx.ip) }]
    const redraw = (errors: FieldError[], status: number) =>
      drawRegister(ctx, journey, { fields, errors, status })
    const taken = await gate.take(allowances)
    if (!taken.ok) {
      ctx.set('Retry-After', String(taken.wait))
      return redraw([{ field: 'email', message: tooManyAccounts(taken.wait) }], 429)
    }
    const judgement = await gate.attempt(allowances, () => judgeNewcomer(fields, method!))
    if (!judgement.ok) {
      await gate.giveBack(allowances)
      return redraw(judgement.errors, 422)
    }
    const { newcomer } = judgement
    const isLetIn = registration.confirmation === 'later' ? letIn : askMailbox
    await gate.attempt(allowances, () => isLetIn(ctx, journey, { newcomer, redraw }))
  }

  /** The account is there once the mailbox is proved; until then nobody can tell whether there was one before. */
  async function askMailbox(ctx: Context, journey: Journey, { newcomer, redraw }: Step) {
    const { email } = newcomer
    const allowances = sendingAllowances('sign_in', email.canonical, networkOf(ctx.ip))
    const taken = await gate.take(allowances)
    if (!taken.ok) {
      // Whoever pressed twice is where they wanted to be.
      if (journey.progress.pending?.begun.address === email.address)
        return seeOther(ctx, journeyPath(journey.uid))
      ctx.set('Retry-After', String(taken.wait))
      return redraw([{ field: 'email', message: letterOnItsWay(taken.wait) }], 429)
    }
    const place = attempts.attempt(ctx, journey, { id: MAILBOX_METHOD, fields: nothingTyped })
    await gate.attempt(allowances, () =>
      scope.transaction(async () => {
        const id = await mailbox.ask({ purpose: 'registration_code', ...newcomer }, place)
        await gate.keep(ctx, { pending: { method: MAILBOX_METHOD, begun: { id, address: email.address } } })
      }),
    )
    seeOther(ctx, journeyPath(journey.uid))
  }

  /** The account is there at once, its address unconfirmed; what is in the way of a second account is told. */
  async function letIn(ctx: Context, journey: Journey, { newcomer, redraw }: Step) {
    try {
      await scope.transaction(() => createAndAdmit(ctx, journey, newcomer))
    } catch (error) {
      if (!(error instanceof AddressTaken)) throw error
      redraw([TAKEN], 422)
    }
  }

  async function createAndAdmit(ctx: Context, journey: Journey, { amr, ...person }: Newcomer) {
    const { user: owner, free } = await addresses.findAddress(person.email.canonical)
    if (owner || !free) throw new AddressTaken()
    const user = await users.createUser({ ...person, confirmed: false })
    await deps.confirmations.send(user, {
      clientName: journey.client.own ? null : journey.client.name,
      occasion: gate.occasionOf(ctx),
    })
    const proof = { method: method!.id, kind: method!.kind, amr, at: deps.now().getTime() }
    const proved = { userId: user.id, generation: user.generation, isNew: true, proofs: [proof] }
    await admission.settle(ctx, journey, { user, proved, method: method!.id })
  }
}

type Step = { newcomer: Newcomer; redraw: (errors: FieldError[], status: number) => void }

const tooManyAccounts = (seconds: number) =>
  `Too many accounts were created from here. Wait ${wait(seconds)}, then try again.`

const closed = () =>
  new Problem(
    403,
    'New accounts cannot be created here.',
    'Ask whoever runs this service to create one for you.',
  )

import type Router from '@koa/router'
import type { Context } from 'koa'
import { describePermissions, fillGrant, requestedPermissions } from '../clients/permissions.ts'
import { Problem } from '../http/problem.ts'
import { sendPage } from '../http/reply.ts'
import { CONFIRM_PROMPT } from '../lib/prompts.ts'
import type { User } from '../users/user.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath } from './journey.ts'
import { consentPage } from './pages.ts'

/** Agreeing, or not, to what a third party asks. */
export function consentRoutes(router: Router, gate: Gate, deps: InteractionDependencies) {
  const { provider, views, csrf, scope, registry, consents, users } = deps

  router.post('/consent', allow)
  router.post('/cancel', cancel)

  return { drawConsent }

  async function drawConsent(ctx: Context, journey: Journey) {
    const person = await signedIn(journey)
    const { name, host, uri } = journey.client
    const page = views.page(consentPage, {
      title: `Allow ${name}`,
      client: { name, host, uri, logo: null, verified: true },
      person: { email: person.email, name: person.name },
      redirectHost: journey.redirectHost,
      required: describePermissions(registry, wanted(journey)),
      optional: [],
      action: journeyPath(journey.uid, '/consent'),
      csrf: csrf.token(ctx),
      cancel: gate.cancelOf(ctx, journey),
    })
    sendPage(ctx, page)
  }

  async function allow(ctx: Context) {
    const { journey } = await gate.post(ctx, ['consent'])
    const { id } = await signedIn(journey)
    const permissions = wanted(journey)
    const grant = new provider.Grant({ accountId: id, clientId: journey.clientId })
    fillGrant(grant, permissions)
    const scopes = [...permissions.scopes, ...Object.values(permissions.resources).flat()]
    await scope.transaction(async () => {
      await consents.rememberConsent(id, journey.clientId, permissions)
      await gate.record(ctx, { type: 'consent.granted', userId: id, scopes }, journey)
      await gate.finish(ctx, journey, { consent: { grantId: await grant.save() } })
    })
  }

  async function cancel(ctx: Context) {
    const { journey } = await gate.post(ctx, ['login', 'create', CONFIRM_PROMPT, 'consent'])
    if (journey.prompt === 'consent' && journey.accountId) {
      await gate.record(ctx, { type: 'consent.denied', userId: journey.accountId }, journey)
    }
    await gate.finish(ctx, journey, { error: 'access_denied', error_description: 'the person did not agree' })
  }

  function wanted(journey: Journey) {
    return requestedPermissions(registry, journey)
  }

  async function signedIn({ accountId }: Journey): Promise<User> {
    const user = accountId ? await users.findUser(accountId) : null
    if (!user)
      throw new Problem(400, 'Nobody is signed in any more.', 'Go back to the app and sign in again.')
    return user
  }
}

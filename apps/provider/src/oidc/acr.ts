import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Factors, SecondFactor } from '../config/factors.ts'
import { amrToTell } from '../lib/amr.ts'
import { nextStep } from '../policy/next-step.ts'
import { type AcrRequest, acrToTell, readAcrRequest } from '../policy/request.ts'
import { proofsOf } from '../policy/session-proofs.ts'
import { isAcr } from '../policy/strength.ts'

/** What a person could bring, asked for only where a request needs to know. */
export type Enrolled = () => Promise<SecondFactor[]>

/**
 * Whether a session is as strong as this request, its client and the policy ask for; decided by the same rule as a sign-in.
 * What the session was made with is read from its `amr`.
 */
export async function isStrongEnough(ctx: KoaContextWithOIDC, policy: Factors): Promise<boolean> {
  const { session, client, account } = ctx.oidc
  const request = acrRequestOf(ctx)
  const requiresSecondFactor = client?.['require_second_factor'] === true
  const isAsked = request.voluntary.length > 0 || request.essential !== null
  if (!isAsked && !requiresSecondFactor && policy.second_factor_for !== 'everyone') return true
  const next = nextStep({
    proofs: proofsOf(session?.amr ?? [], policy.accepted),
    person: { isAdministrator: false, enrolled: await (account!['secondFactors'] as Enrolled)() },
    isTrustedDevice: false,
    request: { ...request, requiresSecondFactor, since: null },
    policy,
  })
  return next.step === 'done'
}

/**
 * Answers with the class the client named, where the sign-in is as good as that: clients compare and do not order. The
 * engine reads `acr` and `amr` from the session, which keeps the truth for the next client and for us.
 */
export function tellStrength(ctx: KoaContextWithOIDC): void {
  const { acr, amr } = ctx.oidc.session ?? {}
  if (amr) Object.defineProperty(ctx.oidc, 'amr', { value: amrToTell(amr), configurable: true })
  if (acr === undefined || !isAcr(acr)) return
  Object.defineProperty(ctx.oidc, 'acr', { value: acrToTell(acr, acrRequestOf(ctx)), configurable: true })
}

function acrRequestOf({ oidc }: KoaContextWithOIDC): AcrRequest {
  const { acr_values, claims } = oidc.params ?? {}
  return readAcrRequest(
    typeof acr_values === 'string' ? acr_values : undefined,
    typeof claims === 'string' ? JSON.parse(claims) : undefined,
  )
}

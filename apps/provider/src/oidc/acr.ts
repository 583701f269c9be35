import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Factors, SecondFactor } from '../config/factors.ts'
import { amrToTell } from '../lib/amr.ts'
import { nextStep, type SignIn } from '../policy/next-step.ts'
import { type AcrRequest, acrToTell, readAcrRequest, sinceOf } from '../policy/request.ts'
import { proofsOf } from '../policy/session-proofs.ts'
import { isAcr } from '../policy/strength.ts'

/** What a person could bring, and whether this browser stands in for it: asked only where a request needs to know. */
type Enrolled = () => Promise<SecondFactor[]>
type Trusted = () => Promise<boolean>

/**
 * Whether a session is as strong as this request, its client and the policy ask for; decided by the same rule as a sign-in.
 * What the session was made with is read from its `amr`.
 */
export async function isStrongEnough(ctx: KoaContextWithOIDC, policy: Factors): Promise<boolean> {
  if (!isAsked(ctx, policy)) return true
  const { session, client, account, params } = ctx.oidc
  const enrolled = account!['secondFactors'] as Enrolled
  const trusted = account!['isTrustedDevice'] as Trusted
  const signIn: SignIn = {
    proofs: proofsOf(session?.amr ?? []),
    person: { isAdministrator: false, enrolled: await enrolled() },
    isTrustedDevice: false,
    request: {
      ...acrRequestOf(ctx),
      requiresSecondFactor: requiresSecondFactor(client),
      since: sinceOf(params ?? {}),
    },
    policy,
  }
  if (nextStep(signIn).step === 'done') return true
  return nextStep({ ...signIn, isTrustedDevice: true }).step === 'done' && trusted()
}

const requiresSecondFactor = (client: KoaContextWithOIDC['oidc']['client']) =>
  client?.['require_second_factor'] === true

/**
 * Most sessions are good enough for most requests, whatever they were made with. Where devices are trusted, one may have been
 * let in by its device, which never answers a request for a fresh proof; what was proved for this very request does.
 */
function isAsked(ctx: KoaContextWithOIDC, policy: Factors): boolean {
  const { client, params, result } = ctx.oidc
  const { voluntary, essential } = acrRequestOf(ctx)
  const wantsFresh = policy.trusted_device > 0 && sinceOf(params ?? {}) !== null && !result?.['login']
  return (
    voluntary.length > 0 ||
    essential !== null ||
    wantsFresh ||
    requiresSecondFactor(client) ||
    policy.second_factor_for === 'everyone'
  )
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

// What a request asks of a sign-in: OpenID Connect Core 1.0, sections 3.1.2.1 and 5.5.1.1; RFC 9470, section 4.
import { ACRS, type Acr, isAcr, ONE_FACTOR, reaches } from './strength.ts'

export type AcrRequest = {
  /** `acr_values`, in order of preference: met where the person can, never a reason to refuse. */
  voluntary: readonly string[]
  /** The values of an essential `acr` claim of the ID token, one of which has to be met; null where none is asked for. */
  essential: readonly string[] | null
}

/**
 * `since` of a sign-in, by the parameters of its request. How old the session may be the engine has judged already, and what
 * is proved in a journey is younger: every proof counts, and the request is one that asks for a fresh one all the same.
 */
export function sinceOf({ prompt, max_age }: Record<string, unknown>): number | null {
  const asksAnew =
    max_age !== undefined ||
    String(prompt ?? '')
      .split(' ')
      .includes('login')
  return asksAnew ? 0 : null
}

const strings = (value: unknown): string[] => [value].flat().filter((item) => typeof item === 'string')

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined

/** @param claims the parsed `claims` parameter, of any shape */
export function readAcrRequest(acrValues: string | undefined, claims: unknown): AcrRequest {
  const claim = member(member(claims, 'id_token'), 'acr')
  const values = [...strings(member(claim, 'value')), ...strings(member(claim, 'values'))]
  const isEssential = member(claim, 'essential') === true
  // Of an essential claim without values any value will do.
  const isDemand = member(claim, 'value') !== undefined || member(claim, 'values') !== undefined
  return {
    voluntary: [...(acrValues?.split(' ').filter(Boolean) ?? []), ...(isEssential ? [] : values)],
    essential: isEssential && isDemand ? values : null,
  }
}

/**
 * The least that answers the request, of what can be reached; null where an essential claim cannot be met. With both an
 * essential claim and `acr_values` "the resulting behavior is unspecified" (5.5.1.1): the claim rules.
 */
export function leastAnswer({ essential, voluntary }: AcrRequest, best: Acr): Acr | null {
  const asked = essential ?? voluntary
  const least = ACRS.find((acr) => asked.includes(acr) && reaches(best, acr))
  return least ?? (essential ? null : ONE_FACTOR)
}

/**
 * What this client is told: the first of the classes it named that the sign-in is as good as, since clients compare and do
 * not order ("MUST return an acr Claim Value that matches one of the requested values", 5.5.1.1); else the truth itself.
 */
export function acrToTell(acr: Acr, { essential, voluntary }: AcrRequest): Acr {
  return (essential ?? voluntary).find((value): value is Acr => isAcr(value) && reaches(acr, value)) ?? acr
}

// Every sign-in there is, as far as the rules can tell two apart.
import { type Factors, PRESETS, SECOND_FACTORS, type SecondFactor } from '../../src/config/factors.ts'
import { DAY } from '../../src/lib/clock.ts'
import type { SignIn } from '../../src/policy/next-step.ts'
import type { Proof } from '../../src/policy/strength.ts'

export const NOW = Date.UTC(2030, 0, 1)

const proof = (method: string, kind: Proof['kind'], ...amr: Proof['amr'][number][]): Proof => ({
  method,
  kind,
  amr,
  at: NOW,
})

/** With `mfa` where a method says it of itself, which nobody is to believe. */
export const PROOFS = {
  password: proof('password', 'knowledge', 'pwd'),
  mailedCode: proof('email-code', 'mailbox', 'otp'),
  upstream: proof('google', 'upstream', 'fed'),
  trustedUpstream: proof('work', 'upstream', 'fed', 'mfa'),
  wallet: proof('ethereum', 'wallet', 'swk'),
  passkey: proof('passkey', 'possession', 'swk', 'user', 'mfa'),
  touchedKey: proof('passkey', 'possession', 'hwk'),
  totp: proof('totp', 'possession', 'otp', 'mfa', 'app'),
  recoveryCode: proof('recovery-codes', 'possession', 'otp', 'mfa', 'recovery'),
} satisfies Record<string, Proof>

const ALL = Object.values(PROOFS)

export const subsets = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: 2 ** items.length }, (_, chosen) => items.filter((_, index) => (chosen >> index) & 1))

/** Up to four proofs, in whatever order, with repetition. */
export function* sequences(most = 4, begun: Proof[] = []): Generator<Proof[]> {
  yield begun
  if (begun.length < most) for (const next of ALL) yield* sequences(most, [...begun, next])
}

/** Up to four different proofs. */
export const PROOF_SETS = subsets(ALL).filter((set) => set.length <= 4)

export const FACTOR_SETS = subsets<SecondFactor>(SECOND_FACTORS)
const ACCEPTED = FACTOR_SETS.filter((set) => set.some((method) => method !== 'recovery-codes'))

export const POLICIES: Factors[] = (['nobody', 'administrators', 'everyone'] as const).flatMap(
  (second_factor_for) =>
    ACCEPTED.flatMap((accepted) =>
      [0, 30 * DAY].map((trusted_device) => ({
        ...PRESETS.balanced,
        second_factor_for,
        accepted,
        trusted_device,
      })),
    ),
)

export const PEOPLE: SignIn['person'][] = [false, true].flatMap((isAdministrator) =>
  FACTOR_SETS.map((enrolled) => ({ isAdministrator, enrolled })),
)

const [ONE, TWO, PHR, FOREIGN] = ['urn:anteroom:acr:1', 'urn:anteroom:acr:2', 'phr', 'urn:example:gold']
const VOLUNTARY = [[], [TWO], [PHR], [PHR, TWO], [FOREIGN]] as string[][]
const ESSENTIAL = [[ONE], [TWO], [PHR], [FOREIGN, TWO], [FOREIGN], []] as string[][]

export const REQUESTS: SignIn['request'][] = [false, true].flatMap((requiresSecondFactor) => [
  ...VOLUNTARY.map((voluntary) => ({ voluntary, essential: null, requiresSecondFactor, since: null })),
  ...ESSENTIAL.map((essential) => ({ voluntary: [], essential, requiresSecondFactor, since: null })),
])

export type Situation = Omit<SignIn, 'proofs'>

/** All there is but for the proofs. Devices are trusted throughout: a policy without trust makes that nothing. */
export const situations = (policies = POLICIES): Situation[] =>
  policies.flatMap((policy) =>
    PEOPLE.flatMap((person) =>
      REQUESTS.map((request) => ({ policy, person, request, isTrustedDevice: true })),
    ),
  )

/** Whether these are two factors, said of the proofs by name and not by what they claim. */
export function areTwo(proofs: Proof[], counted: readonly string[]): boolean {
  const { password, mailedCode, upstream, trustedUpstream, wallet, passkey } = PROOFS
  if (proofs.includes(passkey) || proofs.includes(trustedUpstream)) return true
  const other = [password, mailedCode, upstream, wallet].some((first) => proofs.includes(first))
  return other && proofs.some(({ method }) => counted.includes(method))
}

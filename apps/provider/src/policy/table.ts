// What docs/factors.md tells of every combination, worked out by the rules themselves.
import { PRESETS, type SecondFactor } from '../config/factors.ts'
import { amrToTell } from '../lib/amr.ts'
import { DAY } from '../lib/clock.ts'
import { type NextStep, nextStep, type SignIn } from './next-step.ts'
import type { Proof } from './strength.ts'

const at = 0

const FIRST: Record<string, Proof> = {
  password: { method: 'password', kind: 'knowledge', amr: ['pwd'], at },
  'mailed code': { method: 'email-code', kind: 'mailbox', amr: ['otp'], at },
  upstream: { method: 'google', kind: 'upstream', amr: ['fed'], at },
  'upstream trusted for MFA': { method: 'google', kind: 'upstream', amr: ['fed', 'mfa'], at },
  wallet: { method: 'ethereum', kind: 'wallet', amr: ['swk'], at },
  'passkey, person verified': { method: 'passkey', kind: 'possession', amr: ['hwk', 'user'], at },
  'passkey, only touched': { method: 'passkey', kind: 'possession', amr: ['hwk'], at },
}

const TOTP: Proof = { method: 'totp', kind: 'possession', amr: ['otp', 'app'], at }
const RECOVERY_CODE: Proof = { method: 'recovery-codes', kind: 'possession', amr: ['otp', 'recovery'], at }
const BACKED_UP: SecondFactor[] = ['totp', 'recovery-codes']

type Second = { enrolled: SecondFactor[]; brought?: Proof | undefined }

const SECOND: Record<string, Second> = {
  'none enrolled': { enrolled: [] },
  'authenticator app, not yet': { enrolled: BACKED_UP },
  'authenticator app': { enrolled: BACKED_UP, brought: TOTP },
  'recovery code': { enrolled: BACKED_UP, brought: RECOVERY_CODE },
  'passkey, not yet': { enrolled: ['passkey'] },
  'passkey, person verified': { enrolled: ['passkey'], brought: FIRST['passkey, person verified'] },
  'passkey, only touched': { enrolled: ['passkey'], brought: FIRST['passkey, only touched'] },
}

type Asked = Partial<SignIn['request']> & { isTrustedDevice?: true }

const REQUEST: Record<string, Asked> = {
  'nothing more': {},
  'a trusted device': { isTrustedDevice: true },
  '`require_second_factor`': { requiresSecondFactor: true },
  '`acr_values` 2': { voluntary: ['urn:anteroom:acr:2'] },
  '`acr_values` phr': { voluntary: ['phr'] },
  'essential 2': { essential: ['urn:anteroom:acr:2'] },
  'essential phr': { essential: ['phr'] },
}

const line = (cells: string[]) => `| ${cells.join(' | ')} |`

/** One row for each first and second factor, one column for each request; what the next step is stands where they meet. */
export function factorsTable(): string {
  const names = Object.keys(REQUEST)
  const rows = Object.entries(FIRST).flatMap(([first, proof]) =>
    Object.entries(SECOND).map(([second, state]) =>
      line([first, second, ...Object.values(REQUEST).map((asked) => tell(stepFor(proof, state, asked)))]),
    ),
  )
  return [line(['first', 'second', ...names]), `|${'---|'.repeat(names.length + 2)}`, ...rows, ''].join('\n')
}

function stepFor(first: Proof, { enrolled, brought }: Second, asked: Asked): NextStep {
  const { isTrustedDevice = false, ...request } = asked
  return nextStep({
    proofs: brought ? [first, brought] : [first],
    // Whoever came in with a passkey has one.
    person: {
      isAdministrator: false,
      enrolled: first.method === 'passkey' ? ['passkey', ...enrolled] : enrolled,
    },
    isTrustedDevice,
    request: { voluntary: [], essential: null, requiresSecondFactor: false, since: null, ...request },
    policy: { ...PRESETS.balanced, trusted_device: isTrustedDevice ? 30 * DAY : 0 },
  })
}

const SHORT = (acr: string) => acr.replace('urn:anteroom:acr:', '')

function tell(next: NextStep): string {
  switch (next.step) {
    case 'done':
      return `**${SHORT(next.acr)}** \`${amrToTell(next.amr).join(' ')}\``
    case 'prove':
      return next.which === 'first' ? 'asks for another way in' : `asks for ${next.methods.join(' or ')}`
    case 'enrol':
      return `has to enrol ${next.methods.join(' or ')}`
    case 'refuse':
      return 'refused'
  }
}

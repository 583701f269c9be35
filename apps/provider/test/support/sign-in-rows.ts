// What can be said of a sign-in over HTTP, in rows, and what has to come of each: contract and decision 016, said once more.
import type { ClientConfig } from '../../src/config.ts'
import { everyRow, type RowOf } from './pairwise.ts'
import { APP } from './server.ts'

export const DIMENSIONS = {
  first: ['password', 'mailed code', 'mailed link', 'passkey'],
  /** What is brought besides. With a passkey as the first factor: what is enrolled, and not asked for. */
  second: ['none', 'set up on the way', 'app', 'recovery code', 'touched passkey', 'verified passkey'],
  /** How the app proves itself at the token endpoint. */
  auth: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  kind: ['first party', 'third party', 'require_second_factor'],
  browser: ['new', 'signed in ten minutes ago'],
  prompt: ['absent', 'login', 'consent', 'login consent', 'none'],
  mode: ['query', 'form_post', 'fragment'],
  asks: [
    'nothing',
    'acr_values 1',
    'acr_values 2',
    'acr_values phr',
    'essential 1',
    'essential 2',
    'essential phr',
    'max_age',
  ],
  token: ['opaque', 'jwt'],
} as const

export type Row = RowOf<typeof DIMENSIONS>

export const CLASSES = ['urn:anteroom:acr:1', 'urn:anteroom:acr:2', 'phr']
const CLASS = { '1': CLASSES[0]!, '2': CLASSES[1]!, phr: CLASSES[2]! }

/** Half of what the session is old in a browser that was signed in before. */
const MAX_AGE_SECONDS = 300
export const SESSION_AGE_MINUTES = 10

/** Which combinations there cannot be, and why. */
const RULES: ((row: Row) => boolean)[] = [
  // A verified passkey is two factors: nothing more is asked for, whatever is enrolled.
  ({ first, second }) => first !== 'passkey' || second === 'none' || second === 'app',
  // Whoever has none sets one up, where the app demands one and only there.
  ({ first, second, kind }) =>
    second === 'none'
      ? first === 'passkey' || kind !== 'require_second_factor'
      : second !== 'set up on the way' || kind === 'require_second_factor',
  // Where nothing may be asked there has to be a session, and one that is young enough.
  ({ prompt, browser, asks }) => prompt !== 'none' || (browser !== 'new' && asks !== 'max_age'),
  // An essential class that is not reached ends in an error, or the passkey that could reach it is asked for again.
  (row) => demanded(row) === null || rank(demanded(row)!) <= rank(reached(row).acr),
]

export const isPossible = (row: Row): boolean => RULES.every((rule) => rule(row))

export const nameOf = ({ first, second, auth, kind, browser, prompt, mode, asks, token }: Row): string =>
  `${first}, ${second}; ${kind}, ${auth}; browser ${browser}, prompt ${prompt}, ${mode}; ${asks}; ${token}`

const rank = (acr: string) => CLASSES.indexOf(acr)
const classIn = (asks: Row['asks']) => CLASS[asks.split(' ')[1] as keyof typeof CLASS] as string | undefined
const demanded = ({ asks }: Row) => (asks.startsWith('essential') ? classIn(asks)! : null)

/** The second factor as it is in the end: to set up, an app will do, but where only a passkey can. */
const factorOf = ({ second, asks }: Row) =>
  second !== 'set up on the way' ? second : asks === 'essential phr' ? 'verified passkey' : 'app'

const FIRST = { password: ['pwd'], 'mailed code': ['otp'], 'mailed link': ['otp'], passkey: ['user', 'mfa'] }
const SECOND = {
  none: [],
  app: ['otp', 'mfa'],
  'recovery code': ['otp', 'mfa'],
  'touched passkey': ['hwk', 'mfa'],
  'verified passkey': ['hwk', 'user', 'mfa'],
}

/** The passkey of whoever has an app as well is one that is synced; the others stay on their device. */
export const isSynced = ({ second }: Pick<Row, 'second'>): boolean => second === 'app'

function reached(row: Row): { amr: string[]; acr: string } {
  const { first } = row
  const key = isSynced(row) ? 'swk' : 'hwk'
  const amr = new Set<string>(
    first === 'passkey' ? [key, ...FIRST.passkey] : [...FIRST[first], ...SECOND[factorOf(row)]],
  )
  const acr = amr.has('user') ? CLASS.phr : amr.has('mfa') ? CLASS['2'] : CLASS['1']
  return { amr: [...amr].sort(), acr }
}

/** The claims of the tokens: of classes the app names it is told the one it named, where that is not too much. */
export function expectedClaims(row: Row): { amr: string[]; acr: string } {
  const { amr, acr } = reached(row)
  const named = classIn(row.asks)
  return { amr, acr: named !== undefined && rank(named) <= rank(acr) ? named : acr }
}

/** Who they are has to be proved in this very request. */
export const provesAnew = ({ browser, prompt, asks }: Row): boolean =>
  browser === 'new' || prompt.includes('login') || asks === 'max_age'

/** The pages the person sees, in their order. */
export function expectedPages(row: Row): string[] {
  const { first, second, kind, browser, prompt } = row
  const factor = factorOf(row)
  const setsUp = second === 'set up on the way' && browser === 'new'
  const more = setsUp ? settingUp(factor) : [factor]
  const isAsked = first !== 'passkey' && factor !== 'none'
  const isAgreedTo = kind !== 'third party' || browser !== 'new'
  return [
    ...(provesAnew(row) ? [first, ...(isAsked ? more : [])] : []),
    ...(prompt.includes('consent') || !isAgreedTo ? ['consent'] : []),
  ]
}

/** The first code of a new app shows that it works; a new passkey has to be brought. */
const settingUp = (factor: string) => (factor === 'app' ? ['set up app'] : ['set up passkey', factor])

/** Of the authorization request. */
export function parametersOf({ prompt, mode, asks, token }: Row): Record<string, string | undefined> {
  const value = classIn(asks)
  return {
    prompt: prompt === 'absent' ? undefined : prompt,
    response_mode: mode,
    acr_values: asks.startsWith('acr_values') ? value : undefined,
    claims: demanded({ asks } as Row)
      ? JSON.stringify({ id_token: { acr: { essential: true, value } } })
      : undefined,
    max_age: asks === 'max_age' ? String(MAX_AGE_SECONDS) : undefined,
    ...(token === 'opaque' && { resource: undefined, scope: 'openid profile email offline_access' }),
  }
}

const clientId = ({ auth, kind }: Pick<Row, 'auth' | 'kind'>) => `${kind} ${auth}`.replaceAll(/[ _]/g, '-')

export const clientOf = (clients: ClientConfig[], row: Row): ClientConfig =>
  clients.find(({ client_id }) => client_id === clientId(row))!

/** One for each kind of app and each way to prove itself; `publicJwk` is what signs its assertions. */
export const createClients = (secret: string, publicJwk: object): ClientConfig[] =>
  everyRow({ auth: DIMENSIONS.auth, kind: DIMENSIONS.kind }).map(
    ({ auth, kind }) =>
      ({
        client_id: clientId({ auth, kind }),
        redirect_uris: [`${APP}/callback/${clientId({ auth, kind })}`],
        token_endpoint_auth_method: auth,
        ...(auth.startsWith('client_secret') && { client_secret: secret }),
        ...(auth === 'private_key_jwt' && {
          token_endpoint_auth_signing_alg: 'ES256',
          jwks: { keys: [publicJwk] },
        }),
        scope: 'openid profile email offline_access api:read',
        first_party: kind !== 'third party',
        require_second_factor: kind === 'require_second_factor',
      }) as ClientConfig,
  )

// What is measured: each a name, what must be there before the clock runs, and one round of it.
import type { KeyObject } from 'node:crypto'
import { openSignIn, type Person, submitPassword } from './people.ts'
import { SPA, WEB } from './relying-parties.ts'
import {
  askForMachineToken,
  authorize,
  checkSignature,
  claimsOf,
  DISCOVERY,
  exchange,
  fetchDocument,
  fetchKeys,
  introspect,
  refresh,
  type Tokens,
  userinfo,
} from './requests.ts'
import type { Wire } from './wire.ts'

/** One of those who ask at once: a person, a connection, and what the operation keeps from one request to the next. */
export type Worker = { issuer: string; wire: Wire; person: Person; kept: Kept }
type Kept = { tokens?: Tokens; sub?: string; document?: string }

export type Operation = {
  name: string
  /** Not timed, and not counted. */
  prepare?(worker: Worker): Promise<void>
  /** @throws unless every answer is right; Refused when the contender takes on no more */
  run(worker: Worker): Promise<unknown>
  /** Bare oidc-provider has nothing like it. */
  anteroomAlone?: true
  /** The least ratio to the ceiling, by concurrency. */
  target: Record<number, number>
}

const LEVEL_WITH_MEMORY = { 1: 0.3, 8: 0.7, 32: 1, 64: 1 }

const codeFlow = async ({ wire, person }: Worker): Promise<Tokens> =>
  exchange(wire, WEB, await authorize(wire, WEB, person.cookie))

/** Every round begins with fresh tokens, for old ones expire; their signatures are checked here, where it costs nothing. */
async function prepareTokens(worker: Worker, client = WEB): Promise<void> {
  const { wire, person } = worker
  const tokens = await exchange(wire, client, await authorize(wire, client, person.cookie))
  checkSignature(tokens.id_token, await keysOf(worker))
  worker.kept = { tokens, sub: claimsOf(tokens.id_token).sub ?? '' }
}

const KEYS = new Map<string, Map<string, KeyObject>>()
async function keysOf({ issuer, wire }: Worker): Promise<Map<string, KeyObject>> {
  const keys = KEYS.get(issuer) ?? (await fetchKeys(wire))
  KEYS.set(issuer, keys)
  return keys
}

/** Understood once, then compared: taking 3 kB of JSON apart would cost more than asking for it. */
const published = (
  name: string,
  path: string,
  holds: (document: string, issuer: string) => boolean,
): Operation => ({
  name,
  async prepare(worker) {
    const document = await fetchDocument(worker.wire, path)
    if (!holds(document, worker.issuer)) throw new Error(`${path}: ${document}`)
    worker.kept = { document }
  },
  async run({ wire, kept }) {
    if ((await fetchDocument(wire, path)) !== kept.document) throw new Error(`${path}: not what it was`)
  },
  target: { 32: 4, 64: 4 },
})

export const OPERATIONS: Operation[] = [
  published('discovery', DISCOVERY, (text, issuer) => JSON.parse(text).issuer === issuer),
  published('JWKS', '/jwks', (text) => JSON.parse(text).keys.length >= 2),
  { name: 'code flow', prepare: prepareTokens, run: codeFlow, target: LEVEL_WITH_MEMORY },
  {
    name: 'refresh',
    prepare: (worker) => prepareTokens(worker, SPA),
    async run({ wire, kept }) {
      kept.tokens = await refresh(wire, SPA, kept.tokens!.refresh_token)
    },
    target: LEVEL_WITH_MEMORY,
  },
  { name: 'client credentials', run: ({ wire }) => askForMachineToken(wire, 'opaque'), target: {} },
  {
    name: 'client credentials, JWT',
    prepare: async (worker) =>
      checkSignature(await askForMachineToken(worker.wire, 'jwt'), await keysOf(worker)),
    run: ({ wire }) => askForMachineToken(wire, 'jwt'),
    target: {},
  },
  {
    name: 'userinfo',
    prepare: prepareTokens,
    run: ({ wire, kept }) => userinfo(wire, kept.tokens!.access_token, kept.sub!),
    target: { 64: 1 },
  },
  {
    name: 'introspection',
    prepare: prepareTokens,
    run: ({ wire, kept }) => introspect(wire, WEB, { token: kept.tokens!.access_token, sub: kept.sub! }),
    target: { 64: 1 },
  },
  {
    name: 'password sign-in',
    run: async ({ issuer, wire, person }) =>
      exchange(wire, WEB, await submitPassword(await openSignIn(issuer), person)),
    anteroomAlone: true,
    target: {},
  },
]

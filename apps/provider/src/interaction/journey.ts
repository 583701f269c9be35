import type { IncomingMessage, ServerResponse } from 'node:http'
import { errors, type Provider } from 'oidc-provider'
import { wayBack } from '../clients/way-back.ts'
import { Problem } from '../http/problem.ts'
import type { Pending } from '../methods/method.ts'
import { type AcrRequest, readAcrRequest, sinceOf } from '../policy/request.ts'
import type { Proof } from '../policy/strength.ts'

/** One visit of a browser to the journey: what the app asked for and where the person stands. */
export type Journey = {
  uid: string
  prompt: string
  client: ClientLine
  clientId: string
  /** The person of the browser's session; null before anyone has signed in. */
  accountId: string | null
  scope: string
  /** The APIs the request names (RFC 8707). */
  audiences: string[]
  /** The scopes of APIs the app's registration lists; undefined where it lists none. */
  apiScopes: string[] | undefined
  redirectHost: string
  loginHint: string
  /** Why the engine asks, in its own words and ours. */
  reasons: string[]
  /** Which classes of sign-in the app asks for. */
  acrRequest: AcrRequest
  /** The client's `require_second_factor`. */
  requiresSecondFactor: boolean
  /** As the rules understand it (`sinceOf`): null where the app asks for no fresh proof. */
  since: number | null
  /** How the browser's session was signed in to; null before anyone has. */
  session: { accountId: string; amr: string[]; uid: string } | null
  progress: Progress
}

/** Where the person stands in this journey. */
export type Progress = {
  /** A method that has sent something, and what it is to be reminded of. */
  pending?: { method: string; begun: Pending }
  /** Who proved what so far: not enough yet to be signed in, and good for nothing but the next step. */
  proved?: Proved
}

/**
 * `generation`: the person's when they began; a credential changed since makes all of it worthless. `trustsDevice`: this
 * browser is to stand in for the second factor from now on. `isOffered`: all is proved that is asked for, and on the way in
 * something is offered once.
 */
export type Proved = {
  userId: string
  generation: number
  isNew: boolean
  proofs: Proof[]
  isOffered?: boolean
  trustsDevice?: boolean
}

/** What people are told about the app they are on the way to. */
export type ClientLine = { name: string; host: string; uri: string | null; own: boolean }

/** What the engine is to go on with (its `interactionResult`). */
export type JourneyResult = Record<string, unknown>

type Client = NonNullable<Awaited<ReturnType<Provider['Client']['find']>>>

/** An app on a phone has no host, only a scheme of its own (RFC 8252, section 7.1). */
const hostOf = (uri: string) => new URL(uri).host || new URL(uri).protocol.slice(0, -1)

const PATH = '/interaction'
export const journeyPath = (uid: string, rest = '') => `${PATH}/${uid}${rest}`

export function createJourneys(provider: Provider, ownClientId: string) {
  const lineOf = (client: Client): ClientLine => {
    const own = client.clientId === ownClientId
    const home = own ? provider.issuer : (client.clientUri ?? client.redirectUris?.[0] ?? provider.issuer)
    return {
      name: client.clientName ?? client.clientId,
      host: hostOf(home),
      uri: client.clientUri ?? null,
      own,
    }
  }

  return {
    /** @throws Problem for a journey that is over, too old, or another browser's; `origin` is the app it began in */
    async open(req: IncomingMessage, res: ServerResponse, origin?: string): Promise<Journey> {
      const { uid, prompt, params, session, result } = await details(req, res, origin)
      const client = await provider.Client.find(String(params['client_id']))
      if (!client) throw await stale(origin)
      return {
        uid,
        prompt: prompt.name,
        client: lineOf(client),
        clientId: client.clientId,
        accountId: session?.accountId ?? null,
        scope: String(params['scope'] ?? ''),
        audiences: [params['resource'] ?? []].flat().map(String),
        apiScopes: client['api_scopes'] as string[] | undefined,
        redirectHost: hostOf(String(params['redirect_uri'])),
        loginHint: String(params['login_hint'] ?? ''),
        reasons: prompt.reasons,
        acrRequest: readAcrRequest(text(params['acr_values']), parsed(params['claims'])),
        requiresSecondFactor: client['require_second_factor'] === true,
        since: sinceOf(params),
        session: session?.accountId
          ? { accountId: session.accountId, amr: session.amr ?? [], uid: session.uid }
          : null,
        progress: (result?.['progress'] as Progress | undefined) ?? {},
      }
    },

    /** Remembers, with the journey, where the person stands. */
    async keep(req: IncomingMessage, res: ServerResponse, progress: Progress): Promise<void> {
      const interaction = await provider.interactionDetails(req, res)
      interaction.result = { progress }
      await interaction.persist()
    },

    /** Tells the engine the result; the address that goes on with the request. */
    finish: (req: IncomingMessage, res: ServerResponse, result: JourneyResult) =>
      provider.interactionResult(req, res, result),
  }

  async function details(req: IncomingMessage, res: ServerResponse, origin?: string) {
    try {
      return await provider.interactionDetails(req, res)
    } catch (error) {
      if (error instanceof errors.SessionNotFound) throw await stale(origin)
      throw error
    }
  }

  async function stale(origin?: string): Promise<Problem> {
    const client = origin ? await provider.Client.find(origin) : undefined
    return new Problem(
      400,
      'This sign-in was already used, or it took too long.',
      'Go back to the app and sign in again.',
      {
        back: client ? wayBack(client, ownClientId) : { label: 'Front page', url: '/' },
      },
    )
  }
}

const text = (value: unknown) => (typeof value === 'string' ? value : undefined)

/** The engine has refused a `claims` parameter that is no JSON. */
const parsed = (claims: unknown): unknown => (typeof claims === 'string' ? JSON.parse(claims) : undefined)

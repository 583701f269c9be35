// A person's browser with a live session and the app it belongs to: new codes, exchanges, refreshes, again and again.
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { ClientConfig } from '../../../src/config.ts'
import { anotherNetwork, type Browser, createBrowser } from '../../support/browser.ts'
import {
  authorizationRequest,
  begin,
  codeOf,
  OPAQUE,
  register,
  type Tokens,
} from '../../support/relying-party.ts'
import type { TestServer } from '../../support/server.ts'
import type { Answer, Attempt, Ledger, Use } from './ledger.ts'
import { NoAnswer, type Question, type Reply, type Wire } from './wire.ts'

export type Party = {
  client: ClientConfig
  /** What the browser sends along with each request. */
  cookie: string
  /** The tokens it lives on; null between two families. */
  tokens: Tokens | null
  /** When the last request that was answered well began, in milliseconds since 1970. */
  lastSuccess: number
  /** Works until told to stop, then finishes what it is at. */
  work(signal: AbortSignal): Promise<void>
  /** One refresh of the tokens it holds. */
  refresh(): Promise<boolean>
  /** A new code out of the live session. */
  authorize(): Promise<Code>
  /** Asks userinfo, and introspection where it has a secret to ask with. */
  look(): Promise<void>
}

export type Code = { code: string; verifier: string; nonce: string }

type Options = {
  issuer: string
  /** One to each of the servers. */
  wires: Wire[]
  client: ClientConfig
  ledger: Ledger
  random: () => number
  /** What it does beside spending codes and tokens. */
  habits: Partial<Habits>
}

export type Habits = {
  /** Share of refreshes sent to all servers at once. */
  impatient: number
  /** Share of answers that get lost on the way although the server did its part. */
  deaf: number
  /** Share of families that begin with a code sent to all servers at once. */
  doubled: number
  /** Share of turns in which it asks about its token. */
  curious: number
  /** Milliseconds between two turns. */
  rest: number
}

/** So long a relying party repeats its request before it gives up, in milliseconds. */
const ENDURANCE = 60_000
/** Between two tries after the first repetition, which comes at once. */
const BREATH = 100

/** Registers through the pages, once. */
export async function createParty(options: Options): Promise<Party> {
  const { issuer, wires, client, ledger, random } = options
  const { impatient = 0, deaf = 0, doubled = 0, curious = 0, rest = 10 } = options.habits
  const cookie = await signUp(issuer, wires[0]!.port, client)
  const credentials = {
    client_id: client.client_id,
    ...(client.client_secret && { client_secret: client.client_secret }),
  }

  /** The same request until there is an answer to live with, each time to the next server. */
  async function repeat(
    use: Use,
    question: Question,
    first = Math.floor(random() * wires.length),
  ): Promise<Answer> {
    const patience = Date.now() + ENDURANCE
    for (let turn = 0; ; turn++) {
      const attempt = await tryOnce(wires[(first + turn) % wires.length]!, question)
      if (attempt.answer && random() < deaf) Object.assign(attempt, { answer: null, unheard: true })
      use.attempts.push(attempt)
      const { answer } = attempt
      if (answer && answer.status < 500) {
        if (answer.status === 200) party.lastSuccess = Math.max(party.lastSuccess, attempt.began)
        return answer
      }
      if (Date.now() > patience) return answer ?? { status: 0 }
      if (turn > 0 || answer) await pause(BREATH)
    }
  }

  const spend = (form: Record<string, string>): Question => ({
    path: '/token',
    form: { ...credentials, ...form },
  })

  async function authorize(): Promise<Code> {
    const verifier = randomBytes(32).toString('base64url')
    const nonce = randomBytes(16).toString('hex')
    const request = authorizationRequest({ issuer } as TestServer, client, {
      ...OPAQUE,
      nonce,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    })
    const path = request.url.slice(issuer.length)
    const use = ledger.begin('question', path)
    const { location } = (await repeat(use, { path, headers: { cookie, accept: 'text/html' } })) as Located
    const code = location && new URL(location).searchParams.get('code')
    if (!code) throw new Error(`no code: ${JSON.stringify(use.attempts.at(-1))}`)
    return { code, verifier, nonce }
  }

  const exchange = async ({ code, verifier }: Code, contested = false, first?: number) => {
    const question = spend({
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: client.redirect_uris[0]!,
    })
    const { tokens } = await repeat(ledger.begin('code', code, contested), question, first)
    return tokens ?? null
  }

  /** All of the exchanges but one are replays: whatever was issued is dead afterwards. */
  async function exchangeTwice(): Promise<void> {
    const code = await authorize()
    await Promise.all(wires.map((_, index) => exchange(code, true, index)))
  }

  async function refreshOnce(token: string, first?: number): Promise<Tokens | null> {
    const question = spend({ grant_type: 'refresh_token', refresh_token: token })
    return (await repeat(ledger.begin('refresh', token), question, first)).tokens ?? null
  }

  async function refresh(): Promise<boolean> {
    const token = party.tokens!.refresh_token
    const answers =
      random() < impatient
        ? await Promise.all(wires.map((_, index) => refreshOnce(token, index)))
        : [await refreshOnce(token)]
    party.tokens = answers.find((tokens) => tokens !== null) ?? null
    return party.tokens !== null
  }

  async function look(): Promise<void> {
    const token = party.tokens!.access_token
    await repeat(ledger.begin('question', 'userinfo'), {
      path: '/me',
      headers: { authorization: `Bearer ${token}` },
    })
    if (!client.client_secret) return
    const use = ledger.begin('question', 'introspection')
    await repeat(use, { path: '/token/introspection', form: { ...credentials, token } })
  }

  async function takeTurn(): Promise<void> {
    if (!party.tokens) {
      if (random() < doubled) await exchangeTwice()
      party.tokens = await exchange(await authorize())
    } else if (random() < curious) await look()
    else if (random() < NEW_FAMILY) party.tokens = null
    else await refresh()
  }

  const party: Party = {
    client,
    cookie,
    tokens: null,
    lastSuccess: 0,
    refresh,
    authorize,
    look,
    async work(signal) {
      while (!signal.aborted) {
        await takeTurn()
        await pause(rest)
      }
      // Who holds nothing at the end has nothing to lose.
      party.tokens ??= await exchange(await authorize())
    },
  }
  return party
}

/** Share of turns in which a family is left behind for a new code. */
const NEW_FAMILY = 0.15

async function tryOnce(wire: Wire, question: Question): Promise<Attempt> {
  const { port } = wire
  const began = Date.now()
  try {
    const reply = await wire.ask(question)
    return { port, began, ended: Date.now(), answer: understand(question, reply) }
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    return { port, began, ended: Date.now(), answer: null, neverSent: error.neverSent }
  }
}

type Located = Answer & { location?: string }

function understand({ path }: Question, { status, headers, body }: Reply): Located {
  const retryAfter = headers['retry-after']?.toString()
  if (path.startsWith('/auth?')) {
    const location = headers['location']?.toString()
    const error = location && new URL(location).searchParams.get('error')
    return location && !error
      ? { status: 200, location }
      : { status: Math.max(status, 400), error: error || body, retryAfter }
  }
  if (status !== 200)
    return { status, error: errorIn(body) ?? String(headers['www-authenticate'] ?? body), retryAfter }
  const content = JSON.parse(body)
  if (content.active === false) return { status: 400, error: 'inactive' }
  return { status, ...(content.refresh_token && { tokens: content }) }
}

function errorIn(body: string): string | undefined {
  try {
    return JSON.parse(body).error
  } catch {
    return undefined
  }
}

/** A browser in a network of its own that reaches the issuer wherever it listens. */
export const browserAt = (issuer: string, port: number): Browser =>
  createBrowser({
    headers: { ...anotherNetwork(), 'x-forwarded-host': new URL(issuer).host },
    at: `http://localhost:${port}`,
  })

async function signUp(issuer: string, port: number, client: ClientConfig): Promise<string> {
  const browser = browserAt(issuer, port)
  const request = authorizationRequest({ issuer } as TestServer, client, OPAQUE)
  codeOf(await register(browser, await begin(browser, request)))
  const cookies = [...browser.jar.values()].filter(({ path }) => path === '/')
  return cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
}

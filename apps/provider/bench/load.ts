// The load: people with a live session who go through complete flows, every answer checked.
import { createHash, randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import type { ClientConfig } from '../src/config.ts'
import { createBrowser } from '../test/support/browser.ts'

const REDIRECT = 'http://localhost:3999/callback'
const PASSWORD = 'seven orange umbrellas at noon'

/** ES256 ID tokens for both contenders: an RS256 signature would hide the rest. The public one rotates. */
export const BENCH_CLIENTS = [
  { client_id: 'bench-web', client_secret: 'b'.repeat(32), redirect_uris: [REDIRECT] },
  { client_id: 'bench-spa', token_endpoint_auth_method: 'none', redirect_uris: [REDIRECT] },
].map((client) => ({
  ...client,
  first_party: true,
  grant_types: ['authorization_code', 'refresh_token'],
  id_token_signed_response_alg: 'ES256',
})) as ClientConfig[]

const [WEB, SPA] = BENCH_CLIENTS as [ClientConfig, ClientConfig]

/** One person's browser at one contender. */
export type Person = { cookie: string; refreshToken: string }

export type Target = { issuer: string; agent: Agent }
export const target = (port: number, sockets: number): Target => ({
  issuer: `http://localhost:${port}`,
  agent: new Agent({ keepAlive: true, maxSockets: sockets }),
})

type Answer = { status: number; location: string; body: string }

/** A bare request: a benchmark's own client must cost next to nothing. */
function send(
  { issuer, agent }: Target,
  path: string,
  more: { cookie?: string; form?: Record<string, string> },
): Promise<Answer> {
  const body = more.form && new URLSearchParams(more.form).toString()
  const headers = {
    ...(more.cookie && { cookie: more.cookie }),
    ...(body && {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(body),
    }),
  }
  return new Promise((resolve, reject) => {
    const sent = request(
      `${issuer}${path}`,
      { agent, method: body ? 'POST' : 'GET', headers },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            location: response.headers.location ?? '',
            body: text,
          }),
        )
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

const verifier = randomBytes(32).toString('base64url')
const challenge = createHash('sha256').update(verifier).digest('base64url')

const authorization = ({ client_id }: ClientConfig) =>
  `/auth?${new URLSearchParams({ client_id, response_type: 'code', scope: 'openid email', redirect_uri: REDIRECT, code_challenge: challenge, code_challenge_method: 'S256', state: 's' })}`

/** Signs a person in, by whatever the contender shows, and gives them a refresh token. */
export async function createPerson(to: Target): Promise<Person> {
  const browser = createBrowser()
  let page = await browser.follow(await browser.get(to.issuer + authorization(SPA)))
  if (page.text.includes('name="password"')) {
    const form = await browser.get(`${page.url}/register`)
    const email = `${randomBytes(6).toString('hex')}@example.com`
    page = await browser.follow(
      await browser.submit(form, '/register', { email, name: 'Bench', password: PASSWORD }),
    )
  }
  const cookie = [...browser.jar.values()]
    .filter(({ path }) => path === '/')
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
  const tokens = await redeem(to, SPA, new URL(page.next ?? '').searchParams.get('code') ?? '')
  return { cookie, refreshToken: tokens.refresh_token }
}

type Tokens = { access_token: string; refresh_token: string; id_token: string }

async function redeem(to: Target, client: ClientConfig, code: string): Promise<Tokens> {
  return tokens(to, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  })
}

async function tokens(
  to: Target,
  { client_id, client_secret }: ClientConfig,
  form: Record<string, string>,
): Promise<Tokens> {
  const { status, body } = await send(to, '/token', {
    form: { client_id, ...(client_secret && { client_secret }), ...form },
  })
  const answer = JSON.parse(body) as Tokens
  if (status !== 200 || !answer.access_token || !answer.refresh_token || !answer.id_token)
    throw new Error(`token: ${status} ${body}`)
  return answer
}

/** One operation for one person; throws unless the answer is right. */
export type Operation = (to: Target, person: Person) => Promise<void>

export const OPERATIONS: Record<string, Operation> = {
  'code flow': async (to, { cookie }) => {
    const { status, location } = await send(to, authorization(WEB), { cookie })
    const code = URL.parse(location)?.searchParams.get('code')
    if (status !== 303 || !code) throw new Error(`authorize: ${status} ${location}`)
    await redeem(to, WEB, code)
  },
  refresh: async (to, person) => {
    const before = person.refreshToken
    person.refreshToken = (
      await tokens(to, SPA, { grant_type: 'refresh_token', refresh_token: before })
    ).refresh_token
    if (person.refreshToken === before) throw new Error('refresh: the token did not rotate')
  },
}

export type Round = { perSecond: number; p50: number; p99: number; done: number }

/** As many at once as there are people, for so long. Latencies in milliseconds. */
export async function runRound(
  to: Target,
  people: Person[],
  { operation, ms }: { operation: Operation; ms: number },
): Promise<Round> {
  const latencies: number[] = []
  const started = performance.now()
  await Promise.all(
    people.map(async (person) => {
      while (performance.now() - started < ms) {
        const began = performance.now()
        await operation(to, person)
        latencies.push(performance.now() - began)
      }
    }),
  )
  const seconds = (performance.now() - started) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
  return { perSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99), done: latencies.length }
}

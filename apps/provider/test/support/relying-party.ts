// What an app does: ask for a code, redeem it, refresh. By hand, so that tests can do it wrong as well.
import { createHash, randomBytes } from 'node:crypto'
import type { ClientConfig } from '../../src/config.ts'
import { type Browser, createBrowser, type Page } from './browser.ts'
import { API_AUDIENCE, type TestServer } from './server.ts'

export type Tokens = {
  access_token: string
  refresh_token: string
  id_token: string
  token_type: string
  expires_in: number
  scope: string
}
export type TokenAnswer = {
  status: number
  headers: Headers
  body: Tokens & { error?: string; error_description?: string }
}

export const PASSWORD = 'seven orange umbrellas at noon'

let people = 0
export const newEmail = () => `person${++people}.${randomBytes(4).toString('hex')}@example.com`

export type Request = { url: string; verifier: string; redirectUri: string; state: string; nonce: string }

/** An authorization request; `undefined` in `change` leaves a parameter out. */
export function authorizationRequest(
  server: TestServer,
  client: ClientConfig,
  change: Record<string, string | undefined> = {},
): Request {
  const verifier = randomBytes(32).toString('base64url')
  const redirectUri = client.redirect_uris[0]!
  const state = randomBytes(8).toString('hex')
  const nonce = randomBytes(8).toString('hex')
  const params: Record<string, string | undefined> = {
    client_id: client.client_id,
    response_type: 'code',
    scope: 'openid profile email offline_access api:read',
    resource: API_AUDIENCE,
    redirect_uri: redirectUri,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...change,
  }
  const query = new URLSearchParams(
    Object.entries(params).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  return { url: `${server.issuer}/auth?${query}`, verifier, redirectUri, state, nonce }
}

/** From the app to the sign-in page. */
export async function begin(browser: Browser, request: Request): Promise<Page> {
  return browser.follow(await browser.get(request.url))
}

/** The address under which the journey of a page goes on. */
export const journeyOf = ({ url }: Page): string => /^.*\/interaction\/[\w-]+/.exec(url)![0]

/** Creates an account on the way to the app; ends where the journey leaves our origin or asks on. */
export async function register(
  browser: Browser,
  page: Page,
  person: Partial<{ email: string; name: string; password: string }> = {},
): Promise<Page> {
  const form = await browser.get(`${page.url.replace(/\/(sign-in|register)$/, '')}/register`)
  const fields = { email: newEmail(), name: 'Ada Lovelace', password: PASSWORD, ...person }
  return browser.follow(await browser.submit(form, '/register', fields))
}

export async function signIn(
  browser: Browser,
  page: Page,
  person: { email: string; password?: string },
): Promise<Page> {
  return browser.follow(await browser.submit(page, '/method/password', { password: PASSWORD, ...person }))
}

/** The code the browser is on its way to bring to the app. */
export function codeOf(page: Page): string {
  const code = page.next && new URL(page.next).searchParams.get('code')
  if (!code) throw new Error(`no code: ${page.status} ${page.next ?? page.text.slice(0, 400)}`)
  return code
}

export async function token(
  server: TestServer,
  client: ClientConfig,
  params: Record<string, string | undefined>,
): Promise<TokenAnswer> {
  const entries = Object.entries({
    client_id: client.client_id,
    client_secret: client.client_secret,
    ...params,
  })
  const body = new URLSearchParams(
    entries.filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const response = await fetch(`${server.issuer}/token`, { method: 'POST', body })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as TokenAnswer['body'],
  }
}

export const redeem = (
  server: TestServer,
  client: ClientConfig,
  { request, code }: { request: Request; code: string },
) =>
  token(server, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: request.redirectUri,
    code_verifier: request.verifier,
  })

/** What a JWT says; whether it is to be believed is another question. */
export const claimsIn = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())

/** What the house app is told of a sign-in: the claims of its ID token. */
export async function claimsOf(server: TestServer, { request, page }: { request: Request; page: Page }) {
  const { body } = await redeem(server, server.clients.own, { request, code: codeOf(page) })
  return claimsIn(body.id_token)
}

export const refresh = (
  server: TestServer,
  client: ClientConfig,
  refreshToken: string,
  more: Record<string, string> = {},
) => token(server, client, { grant_type: 'refresh_token', refresh_token: refreshToken, ...more })

/** A new person all the way to the app's tokens; agrees where asked. */
export async function signUpAndIn(
  server: TestServer,
  client: ClientConfig,
  change: Record<string, string | undefined> = {},
) {
  const browser = createBrowser()
  const email = newEmail()
  const request = authorizationRequest(server, client, change)
  let page = await register(browser, await begin(browser, request), { email })
  if (page.url.includes('/interaction/')) page = await browser.follow(await browser.submit(page, '/consent'))
  const answer = await redeem(server, client, { request, code: codeOf(page) })
  return { browser, email, request, code: codeOf(page), tokens: answer.body, answer }
}

/** Does this browser hold a live session? The account page sends everybody else to sign in. */
export const isSignedIn = async (browser: Browser, server: TestServer) =>
  (await browser.get(`${server.issuer}/account`)).status === 200

/** Makes everything the engine remembers older, or all of one kind. */
export async function age(server: TestServer, seconds: number, kind = '%') {
  await server.database.pool.query(
    `update artifacts set expires_at = expires_at - $1 * interval '1 s', consumed_at = consumed_at - $1 * interval '1 s'
      where kind like $2`,
    [seconds, kind],
  )
}

/** What stands in the audit log, oldest first. */
export async function auditTrail(server: TestServer, type = '%') {
  const { rows } = await server.database.pool.query<{
    type: string
    user_id: string | null
    data: Record<string, unknown>
  }>('select type, user_id, data from audit_events where type like $1 order by id', [type])
  return rows
}

/** Parameters without an API: the access token is opaque and reads userinfo. */
export const OPAQUE = { resource: undefined, scope: 'openid profile email offline_access' }

/** How userinfo answers this access token. */
export const bearer = async (server: TestServer, accessToken: string) =>
  (await fetch(`${server.issuer}/me`, { headers: { authorization: `Bearer ${accessToken}` } })).status

/** What introspection tells this client about a token. */
export async function introspect(server: TestServer, client: ClientConfig, value: string) {
  const { client_id, client_secret = '' } = client
  const body = new URLSearchParams({ client_id, client_secret, token: value })
  const response = await fetch(`${server.issuer}/token/introspection`, { method: 'POST', body })
  return (await response.json()) as { active: boolean } & Record<string, unknown>
}

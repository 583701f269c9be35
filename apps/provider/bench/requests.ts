// What apps ask of a provider, one function a request. Each throws unless the answer is right.
import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto'
import {
  API,
  authorizationPath,
  JOB,
  PKCE_VERIFIER,
  REDIRECT_URI,
  type RelyingParty,
  SPA,
  WEB,
} from './relying-parties.ts'
import { type Answer, headerOf, type Wire } from './wire.ts'

export type Tokens = { access_token: string; refresh_token: string; id_token: string }
type Claims = { iss?: string; sub?: string; aud?: string; email?: string; client_id?: string }

class WrongAnswer extends Error {
  constructor(what: string, { status, head, body }: Answer) {
    super(`${what}: ${status} ${headerOf(head, 'Location')} ${body.slice(0, 300)}`)
  }
}

const form = (fields: Record<string, string | undefined>) =>
  new URLSearchParams(
    Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined),
  ).toString()

const identify = ({ client_id, client_secret }: RelyingParty) => ({ client_id, client_secret })

/** Texts that never change, made once. */
const AUTHORIZATION = new Map([WEB, SPA].map((client) => [client, authorizationPath(client)]))

/** GET /auth with a live session; the code. */
export async function authorize(wire: Wire, client: RelyingParty, cookie: string): Promise<string> {
  const answer = await wire.get(AUTHORIZATION.get(client)!, `Cookie: ${cookie}\r\n`)
  const code = /^[^?]+\/callback\?code=([^&]+)&/.exec(headerOf(answer.head, 'Location'))?.[1]
  if (answer.status !== 303 || !code) throw new WrongAnswer('authorization', answer)
  return code
}

export const exchange = (wire: Wire, client: RelyingParty, code: string): Promise<Tokens> =>
  askForTokens(wire, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT_URI,
    code_verifier: PKCE_VERIFIER,
  })

/** @throws when the token does not rotate */
export async function refresh(wire: Wire, client: RelyingParty, token: string): Promise<Tokens> {
  const tokens = await askForTokens(wire, client, { grant_type: 'refresh_token', refresh_token: token })
  if (tokens.refresh_token === token) throw new Error('refresh: the token did not rotate')
  return tokens
}

async function askForTokens(
  wire: Wire,
  client: RelyingParty,
  fields: Record<string, string>,
): Promise<Tokens> {
  const answer = await wire.post('/token', form({ ...identify(client), ...fields }))
  const tokens = read<Tokens>(answer, 'token')
  const { access_token, refresh_token, id_token } = tokens
  if (!access_token || !refresh_token || claimsOf(id_token).aud !== client.client_id)
    throw new WrongAnswer('token', answer)
  return tokens
}

export async function askForMachineToken(wire: Wire, format: 'opaque' | 'jwt'): Promise<string> {
  const resource = format === 'jwt' ? { resource: API.audience, scope: API.scope } : {}
  const answer = await wire.post(
    '/token',
    form({ ...identify(JOB), grant_type: 'client_credentials', ...resource }),
  )
  const { access_token = '' } = read<Partial<Tokens>>(answer, 'client credentials')
  const claims = claimsOf(access_token)
  const right =
    format === 'jwt' ? claims.aud === API.audience && claims.client_id === JOB.client_id : !claims.iss
  if (!access_token || !right) throw new WrongAnswer('client credentials', answer)
  return access_token
}

/** @throws unless it tells about this person */
export async function userinfo(wire: Wire, accessToken: string, sub: string): Promise<void> {
  const answer = await wire.get('/me', `Authorization: Bearer ${accessToken}\r\n`)
  const claims = read<Claims>(answer, 'userinfo')
  if (claims.sub !== sub || !claims.email) throw new WrongAnswer('userinfo', answer)
}

/** @throws unless the token is alive and this person's */
export async function introspect(
  wire: Wire,
  client: RelyingParty,
  { token, sub }: { token: string; sub: string },
): Promise<void> {
  const answer = await wire.post('/token/introspection', form({ ...identify(client), token }))
  const told = read<Claims & { active: boolean }>(answer, 'introspection')
  if (!told.active || told.sub !== sub || told.client_id !== client.client_id)
    throw new WrongAnswer('introspection', answer)
}

export const DISCOVERY = '/.well-known/openid-configuration'

/** The published document, which is the same for everyone. */
export async function fetchDocument(wire: Wire, path: string): Promise<string> {
  const answer = await wire.get(path)
  if (answer.status !== 200) throw new WrongAnswer(path, answer)
  return answer.body
}

export async function fetchKeys(wire: Wire): Promise<Map<string, KeyObject>> {
  const { keys } = JSON.parse(await fetchDocument(wire, '/jwks')) as {
    keys: (JsonWebKey & { kid: string })[]
  }
  return new Map(keys.map((key) => [key.kid, createPublicKey({ key, format: 'jwk' })]))
}

/** The claims of a signed token, `{}` of one that is none. The signature is for `checkSignature`. */
export function claimsOf(token: string): Claims {
  const [, payload, signature] = token.split('.')
  return signature ? (JSON.parse(Buffer.from(payload!, 'base64url').toString()) as Claims) : {}
}

/** @throws unless it is signed with ES256 (RFC 7518, section 3.4) by one of these keys */
export function checkSignature(token: string, keys: Map<string, KeyObject>): void {
  const [head = '', payload = '', signature = ''] = token.split('.')
  const { alg, kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { alg: string; kid: string }
  const key = keys.get(kid)
  const bytes = Buffer.from(signature, 'base64url')
  const right =
    alg === 'ES256' &&
    key &&
    verify('sha256', Buffer.from(`${head}.${payload}`), { key, dsaEncoding: 'ieee-p1363' }, bytes)
  if (!right) throw new Error(`a token with a wrong signature: ${token}`)
}

function read<T>(answer: Answer, what: string): T {
  if (answer.status !== 200) throw new WrongAnswer(what, answer)
  return JSON.parse(answer.body) as T
}

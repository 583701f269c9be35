// A relying party, as small as it gets.
import { REDIRECT_URI, VERIFIER } from './clients.ts'

export type Answer = { status: number; body: Record<string, unknown> }
export type Tokens = { access_token: string; refresh_token: string }

export type Fields = Record<string, string>

export async function mint(origin: string, clientId: string): Promise<string> {
  const { body } = await read(await fetch(`${origin}/mint?client_id=${clientId}`))
  return body['code'] as string
}

export const redeem = (origin: string, client: string, code: string): Promise<Answer> =>
  post(`${origin}/token`, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT_URI,
    code_verifier: VERIFIER,
  })

export const refresh = (
  origin: string,
  client: string,
  token: string,
  more: Fields = {},
  headers: Fields = {},
) => post(`${origin}/token`, client, { grant_type: 'refresh_token', refresh_token: token, ...more }, headers)

/** A new family of tokens. */
export async function signIn(origin: string, client: string): Promise<Tokens> {
  const { body } = await redeem(origin, client, await mint(origin, client))
  return body as Tokens
}

/** Would the token still be honoured? Asked of both endpoints that can tell. */
export async function isAlive(origin: string, accessToken: string): Promise<boolean> {
  const userinfo = await fetch(`${origin}/me`, { headers: { authorization: `Bearer ${accessToken}` } })
  const introspection = await post(`${origin}/token/introspection`, 'web', { token: accessToken })
  if ((userinfo.status === 200) !== introspection.body['active'])
    throw new Error('userinfo and introspection disagree')
  return userinfo.status === 200
}

/** As that client would: `spa` names itself, the others give their secret. */
export function post(url: string, client: string, fields: Fields, headers: Fields = {}): Promise<Answer> {
  if (client === 'spa') return send(url, { ...fields, client_id: client }, headers)
  return send(url, fields, { ...headers, authorization: `Basic ${btoa(`${client}:secret`)}` })
}

export async function send(url: string, fields: Fields, headers: Fields = {}): Promise<Answer> {
  return read(await fetch(url, { method: 'POST', body: new URLSearchParams(fields), headers }))
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text()
  return { status: response.status, body: text ? JSON.parse(text) : {} }
}

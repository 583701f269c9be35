// A relying party, as small as it gets.
import { CHALLENGE, DEVICE_GRANT, REDIRECT_URI, VERIFIER } from './clients.ts'

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

/** A device code the person has said yes to. */
export async function approveDevice(origin: string): Promise<string> {
  const { body } = await post(`${origin}/device/auth`, 'tv', {
    client_id: 'tv',
    scope: 'openid offline_access',
  })
  const code = body['device_code'] as string
  await read(await fetch(`${origin}/approve?device_code=${code}`))
  return code
}

export const redeemDevice = (origin: string, code: string): Promise<Answer> =>
  post(`${origin}/token`, 'tv', { grant_type: DEVICE_GRANT, device_code: code })

/** The cookies of a browser that is signed in and has allowed this client. */
export async function enter(origin: string, clientId: string): Promise<string> {
  const { headers } = await fetch(`${origin}/enter?client_id=${clientId}`)
  return headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')
}

/** A pushed authorization request (RFC 9126); its `request_uri`. */
export async function push(origin: string, client: string): Promise<string> {
  const { body } = await post(`${origin}/request`, client, {
    client_id: client,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: 'openid',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  })
  return body['request_uri'] as string
}

/** How a browser that comes with a pushed request fares: the code it is sent on with, or the error. */
export async function authorize(origin: string, client: string, uri: string, cookie: string) {
  const query = new URLSearchParams({ client_id: client, request_uri: uri })
  const { status, headers } = await fetch(`${origin}/auth?${query}`, {
    redirect: 'manual',
    headers: { cookie },
  })
  const { searchParams } = new URL(headers.get('location') ?? 'none:')
  return { status, code: searchParams.get('code'), error: searchParams.get('error') }
}

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

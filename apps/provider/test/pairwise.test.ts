// Signing in for real, with every two of the ways to do so together: what the tokens say of it.
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { createRemoteJWKSet, decodeJwt, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClientConfig } from '../src/config.ts'
import { ageProof, codeTo, newBrowser, newMember, withManyLetters } from './support/account.ts'
import { appCode, enrolApp } from './support/authenticator-app.ts'
import { type Browser, formsOf, type Page, TRUST_LOOPBACK } from './support/browser.ts'
import { addPasskey } from './support/holders.ts'
import { coverPairs, everyPair, everyRow, holds } from './support/pairwise.ts'
import { authorizationRequest, begin, type Request, type Tokens } from './support/relying-party.ts'
import { API_AUDIENCE, startServer, type TestServer } from './support/server.ts'
import {
  clientOf,
  createClients,
  DIMENSIONS,
  expectedClaims,
  expectedPages,
  isPossible,
  isSynced,
  nameOf,
  parametersOf,
  provesAnew,
  type Row,
  SESSION_AGE_MINUTES,
} from './support/sign-in-rows.ts'
import { type Actor, walk } from './support/sign-in-walk.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const KEY = { alg: 'ES256', kid: 'of-the-app' }
const CLIENTS = createClients(randomBytes(24).toString('hex'), {
  ...publicKey.export({ format: 'jwk' }),
  ...KEY,
  use: 'sig',
})
const TABLE = coverPairs(DIMENSIONS, isPossible)

let server: TestServer
let keys: ReturnType<typeof createRemoteJWKSet>
beforeAll(async () => {
  server = await startServer({ settings: TRUST_LOOPBACK, policy: withManyLetters, clients: CLIENTS })
  keys = createRemoteJWKSet(new URL(`${server.issuer}/jwks`))
})
afterAll(() => server.close())

const people = new Map<string, Promise<Actor>>()

/** One person for each state of enrolment; anew where a row changes it or the recovery codes run out. */
async function actorOf(row: Row): Promise<Actor> {
  const { first, second } = row
  const hasPasskey = first === 'passkey' || second.endsWith('passkey')
  const hasApp = second === 'app' || second === 'recovery code'
  const state = `${hasPasskey} ${hasApp}`
  const known = await people.get(state)
  const isUsedUp = second === 'recovery code' && (known?.app?.recoveryCodes.length ?? 0) < 2
  if (known && !isUsedUp && second !== 'set up on the way') return known
  const fresh = newActor(row, { hasPasskey, hasApp })
  if (second !== 'set up on the way') people.set(state, fresh)
  return fresh
}

type Has = { hasPasskey: boolean; hasApp: boolean }

async function newActor(row: Row, { hasPasskey, hasApp }: Has): Promise<Actor> {
  const actor: Actor = await newMember(server)
  // The code that came with the account is not taken for one of a sign-in.
  await codeTo(server, actor.email)
  if (hasApp) actor.app = await enrolApp(server, actor, (secret) => appCode(secret, new Date()))
  if (hasPasskey) actor.passkey = await addPasskey(server, actor, { synced: isSynced(row) })
  return actor
}

/** What the app is told, in the way it asked to be told, and in no other. */
function answerIn(page: Page, { mode }: Pick<Row, 'mode'>, request: Request): Record<string, string> {
  const form = formsOf(page).find(({ action }) => action === request.redirectUri)
  const { search, hash } = new URL(page.next ?? 'about:blank')
  const told = {
    query: Object.fromEntries(new URLSearchParams(search)),
    fragment: Object.fromEntries(new URLSearchParams(hash.slice(1))),
    form_post: form?.fields ?? {},
  }
  const { [mode]: answer, ...others } = told
  expect(Object.values(others), page.text.slice(0, 300)).toEqual([{}, {}])
  expect(answer).toMatchObject({ state: request.state, iss: server.issuer })
  return answer
}

/** Asks for tokens as this app proves itself (OpenID Connect Core, section 9). */
async function redeemAs(client: ClientConfig, request: Request, code: string): Promise<Tokens> {
  const { client_id, client_secret = '', token_endpoint_auth_method: method } = client
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: request.redirectUri,
    code_verifier: request.verifier,
    ...(method !== 'client_secret_basic' && { client_id }),
    ...(method === 'client_secret_post' && { client_secret }),
    ...(method === 'private_key_jwt' && {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await assertionOf(client_id),
    }),
  })
  const authorization = `Basic ${btoa(`${client_id}:${client_secret}`)}`
  const headers = method === 'client_secret_basic' ? { authorization } : {}
  const response = await fetch(`${server.issuer}/token`, { method: 'POST', headers, body })
  const answer = await response.json()
  expect(response.status, JSON.stringify(answer)).toBe(200)
  return answer as Tokens
}

const assertionOf = (clientId: string) =>
  new SignJWT({ iss: clientId, sub: clientId, aud: server.issuer, jti: randomUUID() })
    .setProtectedHeader(KEY)
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(privateKey)

type Journey = { row: Row; actor: Actor; browser: Browser }

/** One request of the row's app, to its end. */
async function ask({ row, actor, browser }: Journey, parameters: Record<string, string | undefined>) {
  const client = clientOf(CLIENTS, row)
  const request = authorizationRequest(server, client, parameters)
  const { page, pages } = await walk({ server, browser, actor, row }, await begin(browser, request))
  return { client, request, page, pages }
}

/** As the person has come this way before; when they proved who they are, as the app was told then and would be now. */
async function cameBefore(journey: Journey): Promise<number> {
  const earlier = { ...journey.row, prompt: 'absent', mode: 'query' } as const
  const { client, request, page } = await ask(journey, parametersOf(earlier))
  const { code = '' } = answerIn(page, earlier, request)
  const { id_token } = await redeemAs(client, request, code)
  await ageProof(server, journey.actor.id, SESSION_AGE_MINUTES)
  return Number(decodeJwt(id_token)['auth_time']) - SESSION_AGE_MINUTES * 60
}

const seconds = () => Math.floor(Date.now() / 1000)
const sorted = ({ amr, acr, auth_time, sub }: JWTPayload) => ({
  amr: [...(amr as string[])].sort(),
  acr,
  auth_time,
  sub,
})

async function readUserinfo({ access_token }: Tokens) {
  const response = await fetch(`${server.issuer}/me`, {
    headers: { authorization: `Bearer ${access_token}` },
  })
  expect(response.status).toBe(200)
  return response.json()
}

async function checkAccessToken({ row, actor }: Journey, tokens: Tokens, proved: object) {
  if (row.token === 'opaque')
    return expect(await readUserinfo(tokens)).toMatchObject({
      sub: actor.id,
      email: actor.email,
      email_verified: true,
      name: 'Ada Lovelace',
    })
  const options = { issuer: server.issuer, audience: API_AUDIENCE, typ: 'at+jwt' }
  const { payload } = await jwtVerify(tokens.access_token, keys, options)
  expect(payload['client_id']).toBe(clientOf(CLIENTS, row).client_id)
  expect(sorted(payload)).toEqual(proved)
}

describe('a sign-in', () => {
  test('is tried with each two values that go together', () => {
    const possible = everyRow(DIMENSIONS).filter(isPossible)
    const untried = everyPair(DIMENSIONS).filter((pair) => !TABLE.some((row) => holds(row, pair)))
    for (const pair of untried)
      expect(
        possible.find((row) => holds(row, pair)),
        String(pair),
      ).toBeUndefined()
    expect(TABLE.filter((row) => !isPossible(row))).toEqual([])
    expect(TABLE.length).toBeLessThan(80)
  })

  test.each(TABLE.map((row) => [nameOf(row), row] as const))('%s', async (_, row) => {
    const actor = await actorOf(row)
    const journey = { row, actor, browser: newBrowser() }
    await server.database.pool.query('delete from consents where user_id = $1', [actor.id])
    const before = row.browser === 'new' ? null : await cameBefore(journey)

    const start = seconds()
    const { client, request, page, pages } = await ask(journey, parametersOf(row))
    expect(pages).toEqual(expectedPages(row))
    const { code = '' } = answerIn(page, row, request)
    const tokens = await redeemAs(client, request, code)

    const options = { issuer: server.issuer, audience: client.client_id }
    const { payload } = await jwtVerify(tokens.id_token, keys, options)
    const authTime = Number(payload['auth_time'])
    expect(payload['nonce']).toBe(request.nonce)
    expect(sorted(payload)).toEqual({ ...expectedClaims(row), sub: actor.id, auth_time: authTime })
    if (provesAnew(row)) expect(authTime).toBeGreaterThanOrEqual(start)
    else expect(authTime).toBe(before)
    expect(authTime).toBeLessThanOrEqual(seconds())
    await checkAccessToken(journey, tokens, sorted(payload))
  })
})

describe('a class of sign-in that this person does not reach', () => {
  const row: Row = {
    first: 'password',
    second: 'touched passkey',
    auth: 'client_secret_basic',
    kind: 'first party',
    browser: 'new',
    prompt: 'absent',
    mode: 'query',
    asks: 'essential phr',
    token: 'opaque',
  }
  const begun = async (change: Partial<Row>) => {
    const changed = { ...row, ...change }
    expect(isPossible(changed)).toBe(false)
    return ask({ row: changed, actor: await actorOf(changed), browser: newBrowser() }, parametersOf(changed))
  }

  test.each([
    { second: 'none', asks: 'essential 2', mode: 'query' },
    { second: 'none', asks: 'essential phr', mode: 'form_post' },
    { second: 'app', asks: 'essential phr', mode: 'fragment' },
  ] as const)('is an error where it is $asks with $second, told by $mode', async (change) => {
    const { request, page, pages } = await begun(change)
    expect(pages).toEqual(['password'])
    const answer = answerIn(page, change, request)
    expect(answer).toMatchObject({ error: 'unmet_authentication_requirements' })
    expect(answer).not.toHaveProperty('code')
  })

  test('is asked for again of whoever only touches the passkey that could reach it', async () => {
    const again = /^asked again and again: password, touched passkey, touched passkey/
    await expect(begun({})).rejects.toThrow(again)
  })
})

import { randomBytes } from 'node:crypto'
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createUnitOfWork } from '../src/db/unit-of-work.ts'
import { createKeyStore, type KeyAlg, type KeyStore } from '../src/keys/store.ts'
import { HOUR } from '../src/lib/clock.ts'
import { createSealer } from '../src/lib/seal.ts'
import { createBrowser } from './support/browser.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import {
  authorizationRequest,
  bearer,
  begin,
  codeOf,
  isSignedIn,
  OPAQUE,
  redeem,
  refresh,
  register,
  signUpAndIn,
} from './support/relying-party.ts'
import { APP, startServer, type TestServer } from './support/server.ts'

/** How old security state may be, and the time to look. */
const SOON = { timeout: 3000, interval: 50 }
/** Where it is not the time that is judged. */
const PATIENTLY = { timeout: 20_000, interval: 50 }

let database: TestDatabase
let servers: [TestServer, TestServer]
let keys: KeyStore
beforeAll(async () => {
  database = await createTestDatabase()
  const first = await database.open()
  const secretKey = randomBytes(32)
  servers = [
    await startServer({ database: first, secretKey }),
    await startServer({ database: database.url ? await database.open() : first, secretKey }),
  ]
  keys = createKeyStore({
    scope: createUnitOfWork(first),
    sealer: createSealer([secretKey]),
    now: () => new Date(),
  })
})
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()))
  await database.drop()
})

const published = async (server: TestServer) =>
  (await (await fetch(`${server.issuer}/jwks`)).json()) as JSONWebKeySet
const kidsOf = async (server: TestServer) => (await published(server)).keys.map(({ kid }) => kid)
const kidOf = (jwt: string) => decodeProtectedHeader(jwt).kid

async function rotate(algs: KeyAlg[], activeAt = new Date()): Promise<string[]> {
  const made: string[] = []
  for (const alg of algs) made.push(await keys.createKey(alg, activeAt))
  return made
}

const everywhere = (kids: string[], wait = PATIENTLY) =>
  vi.waitFor(async () => {
    for (const server of servers) expect(await kidsOf(server)).toEqual(expect.arrayContaining(kids))
  }, wait)

const newIdToken = async (server: TestServer) =>
  (await signUpAndIn(server, server.clients.own)).tokens.id_token

describe('T112: new keys', () => {
  test('are published and sign on every instance within three seconds, and nobody notices', async () => {
    const [server, sibling] = servers
    const { own } = server.clients
    const [older] = await kidsOf(server)
    const before = await signUpAndIn(server, own, OPAQUE)
    const forApi = await signUpAndIn(server, own)
    const waiting = createBrowser()
    const request = authorizationRequest(server, own)
    const page = await begin(waiting, request)
    const abandoned = authorizationRequest(server, own)
    const code = codeOf(await begin(before.browser, abandoned))

    const [rsa, ec] = await rotate(['RS256', 'ES256'])
    await everywhere([rsa!, ec!], SOON)

    const done = await redeem(server, own, { request, code: codeOf(await register(waiting, page)) })
    expect([kidOf(done.body.id_token), kidOf(done.body.access_token)]).toEqual([rsa, ec])
    expect(kidOf(await newIdToken(sibling))).toBe(rsa)

    const verifier = createLocalJWKSet(await published(sibling))
    for (const jwt of [
      before.tokens.id_token,
      forApi.tokens.access_token,
      done.body.id_token,
      done.body.access_token,
    ]) {
      await jwtVerify(jwt, verifier, { issuer: server.issuer })
    }
    expect(older).not.toBe(rsa)
    expect((await redeem(server, own, { request: abandoned, code })).status).toBe(200)
    expect((await refresh(server, own, before.tokens.refresh_token)).status).toBe(200)
    expect(await bearer(server, before.tokens.access_token)).toBe(200)
    expect(await isSignedIn(before.browser, server)).toBe(true)
  })

  test('leave the ID token of an older one good enough to sign out with', async () => {
    const [server] = servers
    const { browser, tokens } = await signUpAndIn(server, server.clients.own)
    await everywhere(await rotate(['RS256']))
    const query = new URLSearchParams({
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: `${APP}/signed-out`,
    })
    expect((await browser.get(`${server.issuer}/session/end?${query}`)).next).toBe(`${APP}/signed-out`)
  })

  test('under load spoil no token: each is verified by the keys an app finds when it has it', async () => {
    const [server] = servers
    const { tokens } = await signUpAndIn(server, server.clients.own)
    const [rsa] = await rotate(['RS256'])
    const seen = new Set<string | undefined>()
    await vi.waitUntil(async () => {
      const { status, body } = await refresh(server, server.clients.own, tokens.refresh_token)
      expect(status).toBe(200)
      await jwtVerify(body.id_token, createLocalJWKSet(await published(server)))
      await jwtVerify(body.access_token, createLocalJWKSet(await published(server)))
      seen.add(kidOf(body.id_token))
      return seen.has(rsa)
    }, PATIENTLY)
    expect(seen.size).toBeGreaterThanOrEqual(1)
  })

  test('announced for later are published at once and sign nothing yet', async () => {
    const [server] = servers
    const [rsa] = await rotate(['RS256'], new Date(Date.now() + HOUR))
    await everywhere([rsa!])
    expect(kidOf(await newIdToken(server))).not.toBe(rsa)
  })

  test('for cookies keep everybody signed in, and sign the cookies of whoever comes next', async () => {
    const [server] = servers
    const before = await signUpAndIn(server, server.clients.own)
    const version = await keys.loadVersion()
    const waiting = createBrowser()
    const page = await begin(waiting, authorizationRequest(server, server.clients.own))
    await rotate(['HS256'])
    expect(await keys.loadVersion()).not.toBe(version)
    // A key for signing tokens tells when the instances have looked again.
    await everywhere(await rotate(['ES256']))
    expect(await isSignedIn(before.browser, server)).toBe(true)
    codeOf(await begin(before.browser, authorizationRequest(server, server.clients.own)))
    codeOf(await register(waiting, page))
    expect(await isSignedIn(waiting, server)).toBe(true)
  })

  test('show their public part alone', async () => {
    for (const server of servers) {
      const { keys: shown } = await published(server)
      expect(new Set(shown.map(({ kid }) => kid)).size).toBe(shown.length)
      for (const key of shown) {
        expect(
          Object.keys(key).filter((name) => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'].includes(name)),
        ).toEqual([])
        expect([key.use, key.alg]).toEqual(['sig', key.kty === 'RSA' ? 'RS256' : 'ES256'])
      }
    }
  })
})

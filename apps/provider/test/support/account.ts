// People with an account, and what they do in it.
import { randomBytes } from 'node:crypto'
import { expect, vi } from 'vitest'
import type { ClientConfig } from '../../src/config.ts'
import type { KeptMessage } from '../../src/mail/delivery.store.ts'
import { meet } from '../races/support/barrier.ts'
import { anotherNetwork, type Browser, createBrowser, type Page, TRUST_LOOPBACK } from './browser.ts'
import { createTestDatabase } from './database.ts'
import { codeIn, lettersTo, linkIn } from './mailbox.ts'
import { freePort } from './port.ts'
import {
  authorizationRequest,
  begin,
  codeOf,
  newEmail,
  OPAQUE,
  PASSWORD,
  redeem,
  register,
  signIn,
} from './relying-party.ts'
import { type Options, startServer, type TestServer } from './server.ts'
import { startSpread } from './spread.ts'

export const NEW_PASSWORD = 'nine green lanterns in the fog'

type Policy = TestServer['config']['policy']

const many = [{ points: 10_000, per: 60_000, block: 0 }]
/** Nobody has to wait a minute between two letters. */
export const withManyLetters = (policy: Policy): Policy => ({
  ...policy,
  limits: { ...policy.limits, letters_per_address: many, letters_per_ip: many },
})

/** A server that believes `anotherNetwork`. */
export const startAccountServer = (options: Options = {}) =>
  startServer({ settings: TRUST_LOOPBACK, policy: withManyLetters, ...options })

export const newBrowser = () => createBrowser({ headers: anotherNetwork() })

export type Member = {
  browser: Browser
  email: string
  id: string
  refreshToken: string
  accessToken: string
}

/** A person who came by an app, and whose mailbox is proved. */
export async function newMember(
  server: TestServer,
  client: ClientConfig = server.clients.own,
): Promise<Member> {
  const browser = newBrowser()
  const email = newEmail()
  const request = authorizationRequest(server, client, OPAQUE)
  let page = await register(browser, await begin(browser, request), { email })
  if (page.url.includes('/interaction/')) page = await browser.follow(await browser.submit(page, '/consent'))
  const { body } = await redeem(server, client, { request, code: codeOf(page) })
  await confirm(server, email)
  const { id } = await userOf(server, email)
  return { browser, email, id, refreshToken: body.refresh_token, accessToken: body.access_token }
}

export async function confirm({ database }: TestServer, email: string): Promise<void> {
  await database.pool.query('update users set email_verified_at = now() where email_canonical = $1', [email])
}

export const userOf = ({ database }: TestServer, email: string) =>
  database.prisma.user.findUniqueOrThrow({ where: { emailCanonical: email } })

/** The types of their credentials. */
export const typesOf = async ({ database }: TestServer, { id }: Pick<Member, 'id'>): Promise<string[]> => {
  const rows = await database.prisma.credential.findMany({ where: { userId: id } })
  return rows.map(({ type }) => type).sort()
}

/** As if each of the person's sessions had been made so. */
export async function remakeSessions(
  { database }: TestServer,
  { id }: Pick<Member, 'id'>,
  made: { amr: string[]; acr: string },
): Promise<void> {
  await database.pool.query(
    `update artifacts set payload = (payload::jsonb || $2)::json where kind = 'Session' and user_id = $1`,
    [id, JSON.stringify(made)],
  )
}

/** As if the person had proved who they are so long ago, in each of their sessions. */
export async function ageProof({ database }: TestServer, userId: string, minutes: number): Promise<void> {
  await database.pool.query(
    `update artifacts set payload = jsonb_set(payload::jsonb, '{loginTs}',
       to_jsonb((payload::jsonb->>'loginTs')::bigint - $2::bigint * 60))::json where kind = 'Session' and user_id = $1`,
    [userId, minutes],
  )
}

/** Somebody who knows the password and no more, where it leads. */
export async function halfWay(
  server: TestServer,
  person: { email: string; password?: string },
  client: ClientConfig = server.clients.own,
): Promise<{ browser: Browser; page: Page }> {
  const browser = newBrowser()
  const page = await begin(browser, authorizationRequest(server, client))
  return { browser, page: await browser.follow(await signIn(browser, page, person)) }
}

/** Whether this password opens the account, in a browser of its own. */
export async function opens(server: TestServer, email: string, password: string): Promise<boolean> {
  const browser = newBrowser()
  const page = await begin(browser, authorizationRequest(server, server.clients.own))
  return (await signIn(browser, page, { email, password })).next?.includes('code=') ?? false
}

/** The newest letter whose subject says so, as soon as there are `count` of them. */
export async function letterAbout(
  server: TestServer,
  address: string,
  { subject, count = 1 }: { subject: RegExp; count?: number },
): Promise<KeptMessage> {
  const find = async () => {
    const letters = (await lettersTo(server, address)).filter((letter) => subject.test(letter.subject))
    expect(letters.length, `letters to ${address} about ${subject}`).toBeGreaterThanOrEqual(count)
    return letters[0]!
  }
  return vi.waitFor(find, { timeout: 20_000, interval: 50 })
}

export const RESET = /^Choose a new .* password$/
export const CHANGED = /email address of your .* was changed/

/** Asks for a reset link; the answer. */
export async function forget(server: TestServer, email: string, browser = newBrowser()): Promise<Page> {
  return browser.submit(await browser.get(`${server.issuer}/forgot`), '/forgot', { email })
}

export async function resetLink(server: TestServer, email: string, count = 1): Promise<string> {
  await forget(server, email)
  return linkIn(await letterAbout(server, email, { subject: RESET, count }))
}

/** What the browser of somebody on another site says of a post. */
export const FOREIGN: Record<string, string>[] = [
  { origin: 'https://evil.example' },
  { origin: 'null', 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
]

/** Opens a link in a browser, over the redirect that takes its secret away. */
export const openLink = async (link: string, browser = newBrowser()): Promise<Page> =>
  browser.follow(await browser.get(link))

export async function reset(link: string, password = NEW_PASSWORD, browser = newBrowser()): Promise<Page> {
  return browser.submit(await openLink(link, browser), '/reset', { password })
}

export async function changePassword(
  server: TestServer,
  browser: Browser,
  passwords: { current?: string; password?: string } = {},
): Promise<Page> {
  const page = await browser.get(`${server.issuer}/account/security/password`)
  const { current = PASSWORD, password = NEW_PASSWORD } = passwords
  return browser.submit(page, '/password', { 'current-password': current, password })
}

export type Pair = { server: TestServer; close(): Promise<void> }

/** Two instances on one database behind one issuer: of two requests at once each reaches another one. */
export async function startAccountPair(options: Options = {}): Promise<Pair> {
  const place = await createTestDatabase()
  const databases = [await place.open()]
  databases.push(place.url ? await place.open() : databases[0]!)
  const port = await freePort()
  const shared = {
    secretKey: randomBytes(32),
    settings: { ...TRUST_LOOPBACK, ISSUER: `http://localhost:${port}` },
  }
  const servers: TestServer[] = []
  for (const database of databases)
    servers.push(await startAccountServer({ ...options, ...shared, database }))
  const ports = servers.map(({ address }) => Number(new URL(address).port))
  const spread = await startSpread(port, ports)
  return {
    server: { ...servers[0]!, address: shared.settings.ISSUER },
    async close() {
      await spread.close()
      for (const server of servers) await server.close()
      await place.drop()
    },
  }
}

/** Lets posts meet where the first of them would change this row: all wait for it, then it is let go. */
export const meetAtRow = <T>(
  { database }: Pick<TestServer, 'database'>,
  { table, id, waiting = 2 }: { table: 'challenges' | 'users'; id: string; waiting?: number },
  start: () => Promise<T>[],
): Promise<T[]> =>
  meet(
    database.pool,
    { at: { text: `select from ${table} where id = $1 for update`, values: [id] }, waiting },
    start,
  )

/** The open challenge of that purpose and binding. */
export const challengeOf = ({ database }: TestServer, purpose: string, binding: string) =>
  database.prisma.challenge.findUniqueOrThrow({ where: { purpose_binding: { purpose, binding } } })

/** Names a new address in the account; the page that waits for its code. */
export async function askForAddress(server: TestServer, browser: Browser, email: string): Promise<Page> {
  const form = await browser.get(`${server.issuer}/account/address`)
  return browser.follow(await browser.submit(form, '/address', { email }))
}

/** From naming the address to bringing its code; the last answer. */
export async function changeAddress(server: TestServer, browser: Browser, email: string): Promise<Page> {
  const page = await askForAddress(server, browser, email)
  return browser.submit(page, '/confirm', { code: await codeTo(server, email) })
}

export const CODE = /^\d{6} is your .* code$/

export const codeTo = async (server: TestServer, email: string, count = 1): Promise<string> =>
  codeIn(await letterAbout(server, email, { subject: CODE, count }))

export const wrongCode = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0')

/** The link of the newest letter that tells of a change. */
export const undoLink = async (server: TestServer, email: string, count = 1): Promise<string> =>
  linkIn(await letterAbout(server, email, { subject: CHANGED, count }))

export async function undo(link: string, browser = newBrowser()): Promise<Page> {
  return browser.submit(await openLink(link, browser), '/undo')
}

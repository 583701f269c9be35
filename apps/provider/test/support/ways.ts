// What people set up in their account as a second factor, and bring.
import { generateSync } from 'otplib'
import { expect } from 'vitest'
import type { Member } from './account.ts'
import { createAuthenticator, type HeldPasskey } from './authenticator.ts'
import type { Browser, Page } from './browser.ts'
import type { TestServer } from './server.ts'

export type Authenticator = ReturnType<typeof createAuthenticator>
export type Holder = Member & { held: HeldPasskey; authenticator: Authenticator }

/** What a page asks of the authenticator. */
export const optionsIn = ({ text }: Page) =>
  JSON.parse(/data-options="([^"]*)"/.exec(text)![1]!.replaceAll('&#34;', '"').replaceAll('&amp;', '&'))

const securityOf = (server: TestServer, browser: Browser) => browser.get(`${server.issuer}/account/security`)

/** Adds a passkey in the person's account. */
export async function addPasskey(server: TestServer, member: Member): Promise<Holder> {
  const { browser } = member
  const authenticator = createAuthenticator({ origin: server.issuer })
  const page = await browser.submit(await securityOf(server, browser), '/passkey/add')
  const { held, answer } = authenticator.create(optionsIn(page))
  const added = await browser.submit(page, '/passkey/add', { response: JSON.stringify(answer) })
  expect(added.status).toBe(303)
  return { ...member, held, authenticator }
}

/** Brings it at the page that asks for it; where that leads to. */
export async function bringPasskey(
  browser: Browser,
  page: Page,
  { held, authenticator, action }: Pick<Holder, 'held' | 'authenticator'> & { action: string },
): Promise<Page> {
  const response = JSON.stringify(authenticator.get(optionsIn(page), held))
  return browser.follow(await browser.submit(page, action, { response }))
}

export type WithApp = Member & { secret: string; recoveryCodes: string[] }

const STEP = 30_000

/** The clock of servers, moved on where it has to be: each code of an app is good once. */
export function createAppClock() {
  let ahead = 0
  const used = new Map<string, number>()
  const now = () => new Date(Date.now() + ahead)
  const stepOf = () => Math.floor(now().getTime() / STEP)
  return {
    now,
    nextCode(secret: string): string {
      if (stepOf() <= (used.get(secret) ?? 0)) ahead += STEP
      used.set(secret, stepOf())
      return generateSync({ secret, epoch: Math.floor(now().getTime() / 1000) })
    },
  }
}

export const secretIn = ({ text }: Page): string =>
  /<code dir="ltr">([A-Z2-7 ]{32,})<\/code>/.exec(text)![1]!.replaceAll(' ', '')
export const recoveryCodesIn = ({ text }: Page): string[] =>
  [...text.matchAll(/<li><code dir="ltr">([^<]+)<\/code>/g)].map(([, code]) => code!)

/** Sets up an authenticator app in the person's account. */
export async function enrolApp(
  server: TestServer,
  member: Member,
  nextCode: (secret: string) => string,
): Promise<WithApp> {
  const { browser } = member
  const setup = await browser.submit(await securityOf(server, browser), '/totp/begin')
  const secret = secretIn(setup)
  const done = await browser.submit(setup, '/totp/confirm', { code: nextCode(secret) })
  expect(done.status).toBe(200)
  return { ...member, secret, recoveryCodes: recoveryCodesIn(done) }
}

// What people set up in their account as a second factor, and bring.
import { generateSync } from 'otplib'
import { expect } from 'vitest'
import type { Member } from './account.ts'
import { createAuthenticator, type Device, type HeldPasskey, type Lie } from './authenticator.ts'
import type { Browser, Page } from './browser.ts'
import type { TestServer } from './server.ts'

export type Authenticator = ReturnType<typeof createAuthenticator>
export type Passkey = { held: HeldPasskey; authenticator: Authenticator }
export type Holder = Member & Passkey

/** What a page asks of the authenticator. */
export const optionsIn = ({ text }: Page) =>
  JSON.parse(/data-options="([^"]*)"/.exec(text)![1]!.replaceAll('&#34;', '"').replaceAll('&amp;', '&'))

const securityOf = (server: TestServer, browser: Browser) => browser.get(`${server.issuer}/account/security`)

/** A new passkey as that page asks for one, and what the browser posts of it. */
export function createPasskey(server: TestServer, page: Page, device: Partial<Device> = {}) {
  const authenticator = createAuthenticator({ origin: server.issuer, ...device })
  const { held, answer } = authenticator.create(optionsIn(page))
  return { held, authenticator, response: JSON.stringify(answer) }
}

/** Adds a passkey in the person's account. */
export async function addPasskey(
  server: TestServer,
  member: Member,
  device: Partial<Device> = {},
): Promise<Holder> {
  const { browser } = member
  const page = await browser.submit(await securityOf(server, browser), '/passkey/add')
  const { response, ...passkey } = createPasskey(server, page, device)
  expect((await browser.submit(page, '/passkey/add', { response })).status).toBe(303)
  return { ...member, ...passkey }
}

/** Touched and not unlocked: the authenticator says nothing of who it was. */
export const TOUCHED: Lie = { draft: ({ authData }) => Object.assign(authData.flags, { uv: false }) }

/** Brings it at the page that asks for it; where that leads to. */
export async function bringPasskey(
  browser: Browser,
  page: Page,
  { held, authenticator, action, lie }: Passkey & { action: string; lie?: Lie },
): Promise<Page> {
  const response = JSON.stringify(authenticator.get(optionsIn(page), held, lie))
  return browser.follow(await browser.submit(page, action, { response }))
}

/** `secret` is base32, as the page tells it. */
export type AuthenticatorApp = { secret: string; recoveryCodes: string[] }
export type WithApp = Member & AuthenticatorApp

/** What the app shows at that moment. */
export const appCode = (secret: string, at: Date): string =>
  generateSync({ secret, epoch: Math.floor(at.getTime() / 1000) })

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
      return appCode(secret, now())
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
  // Codes are shown with the first second factor; whoever has some keeps them.
  expect([200, 303]).toContain(done.status)
  return { ...member, secret, recoveryCodes: recoveryCodesIn(done) }
}

// Authenticator apps, and the people who have one.
import { generateSync } from 'otplib'
import { expect } from 'vitest'
import type { Member } from './account.ts'
import type { Page } from './browser.ts'
import type { TestServer } from './server.ts'

export type NextCode = (secret: string) => string
/** `secret` is base32, as the page tells it. */
export type AuthenticatorApp = { secret: string; recoveryCodes: string[] }
export type Enrolled = Member & AuthenticatorApp

/** What the app shows at that moment. */
export const appCode = (secret: string, at: Date): string =>
  generateSync({ secret, epoch: Math.floor(at.getTime() / 1000) })

const STEP = 30_000

/** The clock of servers, moved on where it has to be: each code of an app is good once. */
export function createAppClock(): { now: () => Date; nextCode: NextCode } {
  let ahead = 0
  const used = new Map<string, number>()
  const now = () => new Date(Date.now() + ahead)
  const stepOf = () => Math.floor(now().getTime() / STEP)
  return {
    now,
    nextCode(secret) {
      if (stepOf() <= (used.get(secret) ?? 0)) ahead += STEP
      used.set(secret, stepOf())
      return appCode(secret, now())
    },
  }
}

export const secretIn = ({ text }: Page) =>
  /<code dir="ltr">([A-Z2-7 ]{32,})<\/code>/.exec(text)![1]!.replaceAll(' ', '')
export const codesIn = ({ text }: Page) =>
  [...text.matchAll(/<li><code dir="ltr">([^<]+)<\/code>/g)].map(([, code]) => code!)

/** Sets an app up in the person's account, in the place of one they had. */
export async function enrolApp(server: TestServer, member: Member, nextCode: NextCode): Promise<Enrolled> {
  const { browser } = member
  const security = await browser.get(`${server.issuer}/account/security`)
  const setup = await browser.submit(security, '/totp/begin')
  const secret = secretIn(setup)
  const done = await browser.follow(await browser.submit(setup, '/totp/confirm', { code: nextCode(secret) }))
  expect(done.status).toBe(200)
  return { ...member, secret, recoveryCodes: codesIn(done) }
}

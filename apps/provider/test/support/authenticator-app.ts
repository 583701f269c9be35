// Authenticator apps, and the people who have one.
import { generateSync } from 'otplib'
import { expect } from 'vitest'
import type { Member } from './account.ts'
import type { Page } from './browser.ts'
import type { TestServer } from './server.ts'

export type NextCode = (secret: string) => string
export type Enrolled = Member & { secret: string; recoveryCodes: string[] }

/** Every code is good once: with each one the servers' clocks go ahead of ours. */
export function createAppClock(): { now: () => Date; nextCode: NextCode } {
  let ahead = 0
  const now = () => new Date(Date.now() + ahead)
  return {
    now,
    nextCode(secret) {
      ahead += 30_000
      return generateSync({ secret, epoch: Math.floor(now().getTime() / 1000) })
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

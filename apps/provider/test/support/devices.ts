// Browsers that are trusted, or are to be.
import { DAY } from '../../src/lib/clock.ts'
import { newBrowser, withManyLetters } from './account.ts'
import type { Enrolled, NextCode } from './authenticator-app.ts'
import type { Browser, Page } from './browser.ts'
import { authorizationRequest, begin, codeOf, PASSWORD, type Request, signIn } from './relying-party.ts'
import type { TestServer } from './server.ts'

export const DEVICE = 'anteroom_device'

type Policy = TestServer['config']['policy']

/** Browsers are trusted for a month. */
export const withTrust =
  (factors: Partial<Policy['factors']> = {}) =>
  (policy: Policy): Policy => ({
    ...withManyLetters(policy),
    factors: { ...policy.factors, trusted_device: 30 * DAY, ...factors },
  })

type Change = Record<string, string | undefined>
type Where = { browser?: Browser; change?: Change; client?: TestServer['clients']['own']; password?: string }

export type Arrival = { browser: Browser; request: Request; page: Page }

/** Only the session ends: what else the browser holds stays. */
export function endSession({ jar }: Browser): void {
  for (const key of [...jar.keys()]) if (key.startsWith('anteroom_session')) jar.delete(key)
}

/** From an app to where the password leads, in a browser in which nobody is signed in. */
export async function arrive(server: TestServer, email: string, where: Where = {}): Promise<Arrival> {
  const { browser = newBrowser(), client = server.clients.own, change = {}, password = PASSWORD } = where
  endSession(browser)
  const request = authorizationRequest(server, client, change)
  const door = await begin(browser, request)
  return { browser, request, page: await browser.follow(await signIn(browser, door, { email, password })) }
}

export const isAsked = ({ text }: Page) => /action="[^"]*\/second\//.test(text)
export const offersTrust = ({ text }: Page) => text.includes('name="trust"')

/** Whether somebody who brings the password is asked for a second step. */
export const asks = async (server: TestServer, email: string, where: Where = {}): Promise<boolean> =>
  isAsked((await arrive(server, email, where)).page)

/** Signs in with the app's code and takes the offer; the browser that is trusted from then on. */
export async function trustBrowser(
  server: TestServer,
  { email, secret }: Pick<Enrolled, 'email' | 'secret'>,
  { nextCode, ...where }: Where & { nextCode: NextCode },
): Promise<Browser> {
  const { browser, page } = await arrive(server, email, where)
  const fields = { code: nextCode(secret), trust: 'on' }
  codeOf(await browser.follow(await browser.submit(page, '/second/totp', fields)))
  return browser
}

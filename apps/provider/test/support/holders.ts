// People who have a passkey, and bring it.
import { expect } from 'vitest'
import type { Member } from './account.ts'
import { createAuthenticator, type HeldPasskey, optionsIn } from './authenticator.ts'
import type { Browser, Page } from './browser.ts'
import type { TestServer } from './server.ts'

export type Authenticator = ReturnType<typeof createAuthenticator>
export type Holder = Member & { held: HeldPasskey; authenticator: Authenticator }

/** Adds a passkey in the person's account. */
export async function addPasskey(server: TestServer, member: Member): Promise<Holder> {
  const { browser } = member
  const authenticator = createAuthenticator({ origin: server.issuer })
  const page = await browser.submit(await browser.get(`${server.issuer}/account/security`), '/passkey/add')
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

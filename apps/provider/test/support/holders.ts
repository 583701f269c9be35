// People who have a passkey, and bring it.
import { expect } from 'vitest'
import type { Member } from './account.ts'
import { createAuthenticator, type Device, type HeldPasskey, type Lie, optionsIn } from './authenticator.ts'
import type { Browser, Page } from './browser.ts'
import type { TestServer } from './server.ts'

export type Authenticator = ReturnType<typeof createAuthenticator>
export type Passkey = { held: HeldPasskey; authenticator: Authenticator }
export type Holder = Member & Passkey

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
  const page = await browser.submit(await browser.get(`${server.issuer}/account/security`), '/passkey/add')
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

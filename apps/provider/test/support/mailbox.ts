// The letters of a server, as its development mailbox tells them.
import { expect, vi } from 'vitest'
import type { KeptMessage } from '../../src/mail/delivery.store.ts'
import type { TestServer } from './server.ts'

type Server = Pick<TestServer, 'address'>

const ARRIVES_WITHIN_MS = 20_000

/** Newest first. */
export async function lettersTo(server: Server, address: string): Promise<KeptMessage[]> {
  const answer = await fetch(`${server.address}/dev/mailbox.json?to=${encodeURIComponent(address)}`)
  expect(answer.status).toBe(200)
  return (await answer.json()) as KeptMessage[]
}

/** The newest letter, as soon as there are `count`. */
export async function waitForLetter(server: Server, address: string, count = 1): Promise<KeptMessage> {
  const letters = await vi.waitFor(
    async () => {
      const arrived = await lettersTo(server, address)
      expect(arrived.length, `letters to ${address}`).toBeGreaterThanOrEqual(count)
      return arrived
    },
    { timeout: ARRIVES_WITHIN_MS, interval: 50 },
  )
  return letters[0]!
}

/** The code that its subject begins with. */
export function codeIn({ subject }: KeptMessage): string {
  const [, code] = /^(\d{6,8}) /.exec(subject) ?? []
  if (!code) throw new Error(`no code in front of: ${subject}`)
  return code
}

/** The first link: it stands alone on a line of the text. */
export function linkIn({ text }: KeptMessage): string {
  const [link] = /^https?:\/\/\S+$/m.exec(text) ?? []
  if (!link) throw new Error(`no link on a line of its own in:\n${text}`)
  return link
}

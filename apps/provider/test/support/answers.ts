import { expect } from 'vitest'
import { formsOf, type Page } from './browser.ts'
import type { TestServer } from './server.ts'

/** Our own page, for the developer, that leads nowhere. */
export function expectOwnPage(page: Page, word: string) {
  expect([page.status, page.next]).toEqual([400, null])
  expect(page.headers.get('content-type')).toContain('text/html')
  expect(page.text).toContain(word)
  expect(formsOf(page)).toEqual([])
}

/** What the app is told; everything an app may be told comes with its state and our issuer (RFC 9207). */
export function answerOf(server: TestServer, page: Page) {
  expect(page.next, page.text.slice(0, 300)).not.toBeNull()
  const { search, hash } = new URL(page.next!)
  const answer = Object.fromEntries(new URLSearchParams(hash ? hash.slice(1) : search))
  expect(answer['iss']).toBe(server.issuer)
  return answer
}

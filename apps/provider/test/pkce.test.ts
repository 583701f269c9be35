import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectOwnPage } from './support/answers.ts'
import type { Browser } from './support/browser.ts'
import { authorizationRequest, codeOf, signUpAndIn, token } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

let server: TestServer
/** A browser in which somebody is signed in. */
let visitor: Browser
beforeAll(async () => {
  server = await startServer()
  visitor = (await signUpAndIn(server, server.clients.own)).browser
})
afterAll(() => server.close())

describe('T090: PKCE', () => {
  test.each<[string, Record<string, string | undefined>]>([
    ['none', { code_challenge: undefined, code_challenge_method: undefined }],
    ['a method without a challenge', { code_challenge: undefined }],
    ['plain', { code_challenge_method: 'plain' }],
    ['no method, which would mean plain', { code_challenge_method: undefined }],
    ['an unknown method', { code_challenge_method: 'S512' }],
    ['a challenge of 42 characters', { code_challenge: 'a'.repeat(42) }],
    ['a challenge of 129 characters', { code_challenge: 'a'.repeat(129) }],
    ['a challenge with other characters', { code_challenge: `${'a'.repeat(42)}=` }],
  ])('%s: every app is told on our own page what to send, and nobody is sent back', async (_, change) => {
    const { own, third, spa } = server.clients
    for (const client of [own, third, spa]) {
      const page = await visitor.get(authorizationRequest(server, client, change).url)
      expectOwnPage(page, 'code_challenge_method=S256')
    }
  })

  test.each(['own', 'spa'] as const)(
    'the app %s gets no token with a verifier that is missing, wrong, too short, too long or another request’s',
    async (name) => {
      const client = server.clients[name]
      const { browser } = await signUpAndIn(server, client)
      const other = authorizationRequest(server, client)
      const wrong = [undefined, '', 'a'.repeat(42), 'a'.repeat(43), 'a'.repeat(129), other.verifier]
      for (const code_verifier of wrong) {
        const request = authorizationRequest(server, client)
        const code = codeOf(await browser.follow(await browser.get(request.url)))
        const answer = await token(server, client, {
          grant_type: 'authorization_code',
          code,
          redirect_uri: request.redirectUri,
          code_verifier,
        })
        expect([answer.status, answer.body.access_token]).toEqual([400, undefined])
      }
    },
  )
})

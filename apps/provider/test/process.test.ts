// main.ts as a process: settings that are wrong, a clean stop, and a kill at any moment.

import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createBrowser } from './support/browser.ts'
import { type Place, preparePlace } from './support/process.ts'
import {
  authorizationRequest,
  begin,
  codeOf,
  newEmail,
  redeem,
  refresh,
  register,
} from './support/relying-party.ts'
import { CLIENTS, type TestServer } from './support/server.ts'

let place: Place
beforeEach(async () => {
  place = await preparePlace()
})
afterEach(() => place.remove())

test('wrong settings are told together by name, and the process ends with 78 before it listens', async () => {
  const file = path.join(place.folder, 'config.yaml')
  writeFileSync(
    file,
    'clients: [{ client_id: app }]\npolicy: { lifetimes: { session: soon } }\nsurprise: 1\n',
  )
  const { ended, output } = place.start({
    ISSUER: 'https://id.example.com/',
    PORT: 'many',
    SECRET_KEY: 'short',
    CONFIG_FILE: file,
  })
  expect(await ended).toBe(78)
  for (const name of ['ISSUER', 'PORT', 'SECRET_KEY', 'clients.0', 'policy.lifetimes.session', 'surprise'])
    expect(output()).toContain(name)
  expect(output()).not.toContain('is running')
})

test('a client the protocol does not allow is told by name, with 78', async () => {
  const file = path.join(place.folder, 'config.yaml')
  writeFileSync(
    file,
    'clients: [{ client_id: app, client_secret: 0123456789abcdef0123, redirect_uris: ["https://app.example.com/#part"] }]\n',
  )
  const { ended, output } = place.start({ CONFIG_FILE: file })
  expect(await ended).toBe(78)
  expect(output()).toMatch(/clients: app: .*redirect_uris/)
})

test('production refuses plain http, a missing key, a missing database and missing mail', async () => {
  const { ended, output } = place.start({
    NODE_ENV: 'production',
    ISSUER: 'http://id.example.com',
    DATA_DIR: '',
  })
  expect(await ended).toBe(78)
  for (const name of ['ISSUER', 'SECRET_KEY', 'DATABASE_URL', 'SMTP_URL', 'MAIL_FROM'])
    expect(output()).toContain(name)
})

test('a second process on the same data folder is refused in one sentence', async () => {
  const first = place.start()
  await place.ready()
  const second = place.start({ PORT: '0' })
  expect(await second.ended).toBe(1)
  expect(second.output()).toContain(`is in use by process ${first.child.pid}`)
  expect(second.output()).not.toContain('    at ')
  expect((await fetch(`${place.issuer}/readyz`)).status).toBe(200)
})

test('SIGTERM ends it with 0, SIGKILL loses nothing that was answered: session, consent and refresh token live on', async () => {
  const first = place.start()
  await place.ready()
  const server = { issuer: place.issuer } as TestServer
  const browser = createBrowser()
  const request = authorizationRequest(server, CLIENTS.own)
  const done = await register(browser, await begin(browser, request), { email: newEmail() })
  const { body } = await redeem(server, CLIENTS.own, { request, code: codeOf(done) })

  first.child.kill('SIGKILL')
  const second = place.start()
  await place.ready()
  expect((await refresh(server, CLIENTS.own, body.refresh_token)).status).toBe(200)
  codeOf(await begin(browser, authorizationRequest(server, CLIENTS.own)))

  second.child.kill('SIGTERM')
  expect(await second.ended).toBe(0)
})

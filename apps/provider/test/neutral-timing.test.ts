// Whoever asks with a clock in hand learns no more than everybody else.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Browser, createBrowser, csrfIn, type Page } from './support/browser.ts'
import { authorizationRequest, begin, newEmail, PASSWORD } from './support/relying-party.ts'
import { startServer, type TestServer } from './support/server.ts'

const SAMPLES = 30
const WITHIN_MS = 15
/** What an account costs shows every time; what else the machine does, now and then. */
const ROUNDS = 4

let server: TestServer
beforeAll(async () => {
  server = await startServer({
    policy: (policy) => ({
      ...policy,
      registration: { ...policy.registration, confirmation: 'first' },
      limits: { ...policy.limits, letters_per_ip: [{ points: 1_000_000, per: 60_000, block: 0 }] },
    }),
  })
})
afterAll(() => server.close())

async function newAccounts(count: number): Promise<string[]> {
  const emails = Array.from({ length: count }, newEmail)
  await server.database.prisma.user.createMany({
    data: emails.map((email) => ({
      id: `usr_${email}`,
      email,
      emailCanonical: email,
      emailVerifiedAt: new Date(),
    })),
  })
  return emails
}

type Ask = (browser: Browser, email: string) => Promise<Page>
let door: Page

const WAYS: Record<string, Ask> = {
  'a code': (browser, email) => browser.submit(door, '/method/email-code/begin', { email }),
  'a reset link': async (browser, email) =>
    browser.send(`${server.issuer}/forgot`, { form: { csrf: csrfIn(door), email } }),
  'an account': (browser, email) =>
    browser.send(`${door.url}/register`, {
      form: { csrf: csrfIn(door), email, name: 'Ada', password: PASSWORD },
    }),
}

async function time(ask: Ask, browser: Browser, email: string): Promise<number> {
  const began = performance.now()
  const { status } = await ask(browser, email)
  expect(status).toBeLessThan(400)
  return performance.now() - began
}

const quartiles = (times: number[]) => {
  const sorted = times.toSorted((a, b) => a - b)
  return [0.25, 0.5, 0.75].map((part) => Math.round(10 * sorted[Math.floor(part * sorted.length)]!) / 10)
}

/** Known and unknown in turn, so that whatever slows the machine slows both. */
async function compare(ask: Ask) {
  const browser = createBrowser()
  door = await begin(browser, authorizationRequest(server, server.clients.own))
  const known = await newAccounts(SAMPLES)
  const times: { known: number[]; unknown: number[] } = { known: [], unknown: [] }
  await time(ask, browser, newEmail())
  for (const email of known) {
    times.known.push(await time(ask, browser, email))
    times.unknown.push(await time(ask, browser, newEmail()))
  }
  return { known: quartiles(times.known), unknown: quartiles(times.unknown) }
}

test.each(Object.entries(WAYS))(
  'asking for %s takes as long for an address with an account as for one without',
  async (way, ask) => {
    const seen = []
    for (let round = 0; round < ROUNDS; round++) {
      const { known, unknown } = await compare(ask)
      seen.push({ known, unknown })
      if (Math.abs(known[1]! - unknown[1]!) < WITHIN_MS) {
        if (process.env['ANTEROOM_TIMINGS']) console.log(way, JSON.stringify(seen))
        return
      }
    }
    expect.fail(`quartiles in ms, round by round: ${JSON.stringify(seen)}`)
  },
)

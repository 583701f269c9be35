import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  confirm,
  FOREIGN,
  forget,
  letterAbout,
  newBrowser,
  newMember,
  RESET,
  resetLink,
  startAccountServer,
} from './support/account.ts'
import { formsOf, type Page } from './support/browser.ts'
import { lettersTo } from './support/mailbox.ts'
import {
  auditTrail,
  authorizationRequest,
  begin,
  newEmail,
  register,
  signUpAndIn,
} from './support/relying-party.ts'
import { APP, startServer, type TestServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startAccountServer()
})
afterAll(() => server.close())

/** Nobody confirmed it: whoever made it may not read that mailbox. */
const unconfirmed = async () => (await signUpAndIn(server, server.clients.own)).email

async function disabled() {
  const { email } = await newMember(server)
  await server.database.prisma.user.update({
    where: { emailCanonical: email },
    data: { disabledAt: new Date() },
  })
  return email
}

/** All that an answer tells, but for what is the browser's own. */
const shape = ({ status, headers, text, next }: Page, email: string) => ({
  status,
  next,
  headers: [...headers].filter(
    ([name]) => !['date', 'x-request-id', 'content-length', 'etag'].includes(name),
  ),
  text: text.replaceAll(email, 'EMAIL').replace(/name="csrf" value="[^"]+"/g, ''),
})

const people: [string, () => Promise<string>][] = [
  ['of a member', async () => (await newMember(server)).email],
  ['nobody has', async () => newEmail()],
  ['of a disabled account', disabled],
  ['nobody confirmed', unconfirmed],
]

describe('a forgotten password', () => {
  test('R017: is answered in the same way whosever address it is', async () => {
    const shapes = []
    for (const [, addressOf] of people) {
      const email = await addressOf()
      const browser = newBrowser()
      const page = await browser.get(`${server.issuer}/forgot`)
      const answer = await browser.submit(page, '/forgot', { email })
      expect(answer.text).toContain('If there is an account for')
      shapes.push({ ...shape(answer, email), cookies: [...browser.jar.keys()].sort() })
    }
    for (const each of shapes) expect(each).toEqual(shapes[0])
    expect(shapes[0]!.status).toBe(200)
  })

  test('R017: takes as long with an account as without', async () => {
    const { email } = await newMember(server)
    const stranger = newEmail()
    const time = async (address: string) => {
      const browser = newBrowser()
      const page = await browser.get(`${server.issuer}/forgot`)
      const start = performance.now()
      await browser.submit(page, '/forgot', { email: address })
      return performance.now() - start
    }
    const times: Record<string, number[]> = { known: [], unknown: [] }
    for (let round = 0; round < 30; round++) {
      times['known']!.push(await time(email))
      times['unknown']!.push(await time(stranger))
    }
    const median = (list: number[]) => list.toSorted((a, b) => a - b)[list.length >> 1]!
    const [known, unknown] = [median(times['known']!), median(times['unknown']!)]
    expect(Math.abs(known - unknown), `${known} ms and ${unknown} ms`).toBeLessThan(
      3 + 0.5 * Math.min(known, unknown),
    )
  })

  test('sends a letter to the member and to none of the others', async () => {
    const [member, ...others] = await Promise.all(people.map(([, addressOf]) => addressOf()))
    for (const email of others) await forget(server, email)
    // Letters are delivered in turn: once this one is there, an earlier one would be.
    await forget(server, member!)
    await letterAbout(server, member!, { subject: RESET })
    for (const email of others)
      expect((await lettersTo(server, email)).filter(({ subject }) => RESET.test(subject))).toEqual([])
  })

  test('goes to the address as it is stored, however it was typed', async () => {
    const { email } = await newMember(server)
    const answer = await forget(server, `  ${email.toUpperCase()} `)
    expect(answer.status).toBe(200)
    expect((await letterAbout(server, email, { subject: RESET })).to).toBe(email)
  })

  test('T007: somebody who calls themselves by that address gets nothing of it', async () => {
    const { email } = await newMember(server)
    const browser = newBrowser()
    const other = newEmail()
    await register(browser, await begin(browser, authorizationRequest(server, server.clients.own)), {
      email: other,
      name: email,
    })
    await confirm(server, other)
    await forget(server, email)
    expect((await letterAbout(server, email, { subject: RESET })).to).toBe(email)
    expect((await lettersTo(server, other)).filter(({ subject }) => RESET.test(subject))).toEqual([])
  })

  test('leaves a digest of its link alone, and a trace', async () => {
    const { email, id } = await newMember(server)
    const token = new URL(await resetLink(server, email)).searchParams.get('token')!
    expect(Buffer.from(token, 'base64url').length).toBeGreaterThanOrEqual(16)
    const { rows } = await server.database.pool.query<{ everything: string }>(
      `select challenges::text as everything from challenges union all select audit_events::text from audit_events
         union all select rate_limits::text from rate_limits`,
    )
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.filter(({ everything }) => everything.includes(token))).toEqual([])
    const trail = await auditTrail(server, 'password.reset_requested')
    expect(trail.filter(({ user_id }) => user_id === id)).toHaveLength(1)
  })

  test('asks for an address in the form of one', async () => {
    for (const email of ['', 'ada', 'ada@', 'a b@example.com']) {
      const answer = await forget(server, email)
      expect(answer.status).toBe(422)
      expect(answer.text).toContain('There is a problem')
    }
  })

  test('T025: cannot be asked for by another site, nor by another method', async () => {
    const { email } = await newMember(server)
    const browser = newBrowser()
    const page = await browser.get(`${server.issuer}/forgot`)
    const { fields } = formsOf(page)[0]!
    const form = { ...fields, email }
    const url = `${server.issuer}/forgot`
    for (const headers of FOREIGN) expect((await browser.send(url, { form, headers })).status).toBe(403)
    expect((await browser.send(url, { form: { email } })).status).toBe(403)
    for (const method of ['PUT', 'PATCH', 'DELETE'])
      expect([404, 405]).toContain(
        (await browser.send(`${url}?${new URLSearchParams(form)}`, { method })).status,
      )
    await browser.get(`${url}?${new URLSearchParams(form)}`)
    await forget(server, email)
    await letterAbout(server, email, { subject: RESET })
    expect((await lettersTo(server, email)).filter(({ subject }) => RESET.test(subject))).toHaveLength(1)
  })

  test('leads back to the app the person came from, and to no other place', async () => {
    const { email } = await newMember(server)
    const browser = newBrowser()
    await begin(browser, authorizationRequest(server, server.clients.own))
    const query = '?returnTo=https://evil.example&next=//evil.example&callbackURL=https://evil.example'
    const page = await browser.get(`${server.issuer}/forgot${query}`)
    const answer = await browser.submit(page, '/forgot', { email })
    expect(answer.text).toContain(`href="${APP}"`)
    expect(answer.text).not.toContain('evil.example')
    expect((await forget(server, email)).text).toContain('href="/sign-in"')
  })
})

test('T031: one address gets one letter a minute, whoever asks; everybody is told the same', async () => {
  const strict = await startServer({ settings: { TRUSTED_PROXIES: '127.0.0.0/8, ::1' } })
  try {
    const { email } = await newMember(strict)
    const shapes = []
    for (const address of [email, newEmail()]) {
      expect((await forget(strict, address)).status).toBe(200)
      const refused = await forget(strict, address)
      expect(refused.status).toBe(429)
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      const { status, text } = shape(refused, address)
      shapes.push({ status, text: text.replace(/wait \d+ seconds/g, 'wait') })
    }
    expect(shapes[1]).toEqual(shapes[0])
  } finally {
    await strict.close()
  }
})

test('a password manager finds the page where a password is changed, signed in or not', async () => {
  const wellKnown = `${server.issuer}/.well-known/change-password`
  const stranger = await newBrowser().get(wellKnown)
  expect([stranger.status, stranger.next]).toEqual([303, `${server.issuer}/forgot`])
  const { browser } = await newMember(server)
  const page = await browser.follow(await browser.get(wellKnown))
  expect([page.status, page.url]).toEqual([200, `${server.issuer}/account/security/password`])
})

// T058: a person can take away whatever lets them in, but not all of it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canRace } from './races/support/race.ts'
import {
  letterAbout,
  type Member,
  meetAtRow,
  newMember,
  opens,
  type Pair,
  remakeSessions,
  startAccountPair,
  startAccountServer,
  typesOf,
} from './support/account.ts'
import { csrfIn } from './support/browser.ts'
import { addPasskey } from './support/holders.ts'
import { auditTrail, isSignedIn, PASSWORD } from './support/relying-party.ts'
import type { TestServer } from './support/server.ts'

let pair: Pair
let server: TestServer
beforeAll(async () => {
  pair = await startAccountPair()
  ;({ server } = pair)
})
afterAll(() => pair.close())

const securityOf = ({ browser }: Member, at = server) => browser.get(`${at.issuer}/account/security`)
const remove = async (member: Member, way: string, at = server) =>
  member.browser.submit(await securityOf(member, at), `/${way}/remove`)

/** The mailbox of such a person lets nobody in: whoever proves it gets an account of their own. */
const withdrawMailbox = ({ id }: Member) =>
  server.database.pool.query('update users set email_verified_at = null where id = $1', [id])

/** The session of somebody who has just brought the passkey they have. */
const proveStrongest = (member: Member, at = server) =>
  remakeSessions(at, member, { amr: ['swk', 'user', 'mfa'], acr: 'phr' })

describe('a password', () => {
  test('is removed where the mailbox lets the person in: others are signed out, the owner hears of it', async () => {
    const member = await newMember(server)
    expect((await remove(member, 'password')).next).toBe(`${server.issuer}/account/security`)
    expect(await typesOf(server, member)).toEqual([])
    expect(await opens(server, member.email, PASSWORD)).toBe(false)
    expect(await isSignedIn(member.browser, server)).toBe(true)
    const { text } = (await letterAbout(server, member.email, { subject: /was removed from/ })) as {
      text: string
    }
    expect(text).toContain('the password')
    const trail = await auditTrail(server, 'password.removed')
    expect(trail.some(({ user_id }) => user_id === member.id)).toBe(true)
    expect((await securityOf(member)).text).toContain('Set a password')
  })

  test('that is the only way in stays, and the page says why and what to do', async () => {
    const member = await newMember(server)
    await withdrawMailbox(member)
    const refused = await remove(member, 'password')
    expect(refused.status).toBe(409)
    expect(refused.text).toContain('This is your only way in')
    expect(refused.text).toContain('add a passkey first')
    expect(await typesOf(server, member)).toEqual(['password'])
    // Nothing of the change was kept: this session and all others go on.
    expect(await isSignedIn(member.browser, server)).toBe(true)
    expect(await opens(server, member.email, PASSWORD)).toBe(true)
  })

  test('that is not there cannot be removed', async () => {
    const member = await newMember(server)
    const before = await securityOf(member)
    await member.browser.submit(before, '/password/remove')
    const form = { csrf: csrfIn(await securityOf(member)) }
    const again = await member.browser.send(`${server.issuer}/account/security/password/remove`, { form })
    expect([again.status, again.text.includes('no password to remove')]).toEqual([409, true])
  })
})

// The embedded database has no second connection to hold the row with.
test.skipIf(!canRace)(
  'of a password and a passkey that are removed at the same moment, one stays',
  async () => {
    for (let round = 0; round < 3; round++) {
      const member = await newMember(server)
      await addPasskey(server, member)
      await withdrawMailbox(member)
      await proveStrongest(member)
      const page = await securityOf(member)
      const answers = await meetAtRow(server, { table: 'users', id: member.id }, () => [
        member.browser.submit(page, '/password/remove'),
        member.browser.submit(page, '/passkey/remove'),
      ])
      expect(answers.map(({ status }) => status).sort()).toEqual([303, 409])
      expect(await typesOf(server, member)).toHaveLength(1)
    }
  },
)

test('one after the other: the second is refused', async () => {
  const member = await newMember(server)
  await addPasskey(server, member)
  await withdrawMailbox(member)
  await proveStrongest(member)
  expect((await remove(member, 'password')).status).toBe(303)
  const refused = await remove(member, 'passkey')
  expect([refused.status, refused.text.includes('only way in')]).toEqual([409, true])
  expect(await typesOf(server, member)).toEqual(['passkey'])
})

test('where everybody has to have a second factor, the last one stays; of two, one may go', async () => {
  const strict = await startAccountServer({
    policy: (policy) => ({ ...policy, factors: { ...policy.factors, second_factor_for: 'nobody' } }),
  })
  try {
    const member = await newMember(strict)
    await addPasskey(strict, member)
    strict.config.policy.factors.second_factor_for = 'everyone'
    await proveStrongest(member, strict)
    const refused = await remove(member, 'passkey', strict)
    expect([refused.status, refused.text.includes('A second step is required here')]).toEqual([409, true])
    await addPasskey(strict, member)
    expect((await remove(member, 'passkey', strict)).status).toBe(303)
  } finally {
    await strict.close()
  }
})

// People who lose their second factors at two instances of the whole server, and time that can be let pass for them.
import { randomBytes } from 'node:crypto'
import { generateSync } from 'otplib'
import { expect } from 'vitest'
import { createRecoveryNews } from '../../src/jobs/recoveries.ts'
import { HOUR } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { createSealer } from '../../src/lib/seal.ts'
import { openRooms } from '../../src/rooms.ts'
import { letterAbout, type Member, newBrowser, newMember, openLink, withManyLetters } from './account.ts'
import { type Browser, type Page, TRUST_LOOPBACK } from './browser.ts'
import { createTestDatabase } from './database.ts'
import { lettersTo, linkIn } from './mailbox.ts'
import { letTimePass } from './recoveries.ts'
import { auditTrail, authorizationRequest, begin, signIn } from './relying-party.ts'
import { startServer, type TestServer } from './server.ts'

export const LOST = 'I have lost all of these'
/** Subjects of letters. */
export const ASKED = /^Somebody asked to remove the second step/
export const READY = /^Get back into your/
export const NOW_POSSIBLE = /second step of your .* can be removed now/
export const STAYS = /second step of your .* stays/
export const REMOVED = /second step of your .* was removed/

export type Owner = Member & { secret: string }

export const requestTo = (server: TestServer, change: Record<string, string> = {}) =>
  authorizationRequest(server, server.clients.own, change)

export const linksIn = ({ text }: { text: string }) =>
  [...text.matchAll(/^https?:\/\/\S+$/gm)].map(([link]) => link)

export const finish = async (link: string, browser = newBrowser()): Promise<Page> =>
  browser.submit(await openLink(link, browser), '/recover')
export const stop = async (link: string, browser = newBrowser()): Promise<Page> =>
  browser.submit(await openLink(link, browser), '/recover/stop')

export const isComingIn = (page: Page): boolean => page.next?.includes('code=') ?? false

export async function startOwners() {
  const database = await createTestDatabase()
  const secretKey = randomBytes(32)
  /** What the servers' clocks are ahead of ours: every code is good once. */
  let ahead = 0
  const now = () => new Date(Date.now() + ahead)
  const first = await database.open()
  const shared = { settings: TRUST_LOOPBACK, secretKey, policy: withManyLetters, now }
  const server = await startServer({ ...shared, database: first })
  const sibling = await startServer({ ...shared, database: database.url ? await database.open() : first })
  const jobs = [server, sibling].map(({ config, database }) =>
    createRecoveryNews(
      openRooms({ config, database, sealer: createSealer([secretKey]), log: silentLog, now }),
    ),
  )

  const nextCode = (secret: string) => {
    ahead += 30_000
    return generateSync({ secret, epoch: Math.floor(now().getTime() / 1000) })
  }

  async function enrol(member: Member, at = server): Promise<Owner> {
    const security = await member.browser.get(`${at.issuer}/account/security`)
    const setup = await member.browser.submit(security, '/totp/begin')
    const secret = /<code dir="ltr">([A-Z2-7 ]{32,})<\/code>/.exec(setup.text)![1]!.replaceAll(' ', '')
    const done = await member.browser.submit(setup, '/totp/confirm', { code: nextCode(secret) })
    expect(done.status).toBe(200)
    return { ...member, secret }
  }

  /** Somebody who knows the password and no more. */
  async function atSecondStep({ email }: { email: string }, at = server) {
    const browser = newBrowser()
    const page = await browser.follow(await signIn(browser, await begin(browser, requestTo(at)), { email }))
    return { browser, page }
  }

  async function ask(owner: { email: string }): Promise<{ browser: Browser; page: Page }> {
    const { browser, page } = await atSecondStep(owner)
    const form = await browser.get(`${page.url}/lost`)
    return { browser, page: await browser.follow(await browser.submit(form, '/lost')) }
  }

  /** What the instances do every few minutes, all of them at once. */
  const tellAll = () => Promise.all(jobs.map((job) => job.run(new AbortController().signal)))

  async function pass(ms: number): Promise<void> {
    await letTimePass(server.database, ms)
    await tellAll()
  }

  return {
    server,
    sibling,
    secretKey,
    now,
    isReal: database.url !== undefined,
    nextCode,
    enrol,
    newOwner: async (at = server) => enrol(await newMember(at), at),
    atSecondStep,
    ask,
    tellAll,
    pass,

    /** Asked for, waited for, and not stopped: the links of the letter that says so. */
    async becomeReady(owner: Owner) {
      await ask(owner)
      await pass(72 * HOUR)
      const letter = await letterAbout(server, owner.email, { subject: READY })
      const [finishLink = '', stopLink = ''] = linksIn(letter)
      return { finishLink, stopLink }
    },
    stopLink: async ({ email }: Owner, count = 1) =>
      linkIn(await letterAbout(server, email, { subject: ASKED, count })),
    typesOf: async ({ id }: Member) =>
      (await server.database.prisma.credential.findMany({ where: { userId: id } })).map(({ type }) => type),
    trailOf: async ({ id }: Member) =>
      (await auditTrail(server, 'recovery.%'))
        .filter(({ user_id }) => user_id === id)
        .map(({ type }) => type),
    countOf: async (address: string, subject: RegExp) =>
      (await lettersTo(server, address)).filter((letter) => subject.test(letter.subject)).length,

    async close() {
      await Promise.all([server.close(), sibling.close()])
      await database.drop()
    },
  }
}

// People who lose their second factors at two instances of the whole server, and time that can be let pass for them.
import { createRecoveryNews } from '../../src/jobs/recoveries.ts'
import { HOUR } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { createSealer } from '../../src/lib/seal.ts'
import { openRooms } from '../../src/rooms.ts'
import {
  halfWay,
  letterAbout,
  type Member,
  newBrowser,
  newMember,
  openLink,
  withManyLetters,
} from './account.ts'
import { createAppClock, enrolApp } from './authenticator-app.ts'
import type { Browser, Page } from './browser.ts'
import { lettersTo, linkIn } from './mailbox.ts'
import { letTimePass } from './recoveries.ts'
import { auditTrail, authorizationRequest } from './relying-party.ts'
import type { TestServer } from './server.ts'
import { startTwins } from './twins.ts'

export const LOST = 'I have lost all of these'
/** Subjects of letters. */
export const ASKED = /^Somebody asked to remove the second step/
export const READY = /^Get back into your/
export const NOW_POSSIBLE = /second step of your .* can be removed now/
export const STAYS = /second step of your .* stays/
export const REMOVED = /second step of your .* was removed/

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
  const { now, nextCode } = createAppClock()
  const twins = await startTwins({ policy: withManyLetters, now })
  const { server, sibling, secretKey } = twins
  const jobs = [server, sibling].map(({ config, database }) =>
    createRecoveryNews(
      openRooms({ config, database, sealer: createSealer([secretKey]), log: silentLog, now }),
    ),
  )
  const enrol = (member: Member, at = server) => enrolApp(at, member, nextCode)

  async function ask(owner: { email: string }): Promise<{ browser: Browser; page: Page }> {
    const { browser, page } = await halfWay(server, owner)
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
    ...twins,
    now,
    nextCode,
    enrol,
    newOwner: async (at = server) => enrol(await newMember(at), at),
    ask,
    tellAll,
    pass,

    /** Asked for, waited for, and not stopped: the links of the letter that says so. */
    async becomeReady(owner: Member) {
      await ask(owner)
      await pass(72 * HOUR)
      const letter = await letterAbout(server, owner.email, { subject: READY })
      const [finishLink = '', stopLink = ''] = linksIn(letter)
      return { finishLink, stopLink }
    },
    stopLink: async ({ email }: Member, count = 1) =>
      linkIn(await letterAbout(server, email, { subject: ASKED, count })),
    trailOf: async ({ id }: Member) =>
      (await auditTrail(server, 'recovery.%'))
        .filter(({ user_id }) => user_id === id)
        .map(({ type }) => type),
    countOf: async (address: string, subject: RegExp) =>
      (await lettersTo(server, address)).filter((letter) => subject.test(letter.subject)).length,
  }
}

// A person who answers whatever page a sign-in shows them, as a row says they do.
import { CODE, letterAbout, type Member } from './account.ts'
import { type AuthenticatorApp, appCode, secretIn } from './authenticator-app.ts'
import type { Browser, Page } from './browser.ts'
import { formsOf } from './browser.ts'
import { bringPasskey, createPasskey, type Passkey, TOUCHED } from './holders.ts'
import { codeIn, lettersTo, linkIn } from './mailbox.ts'
import { journeyOf, signIn } from './relying-party.ts'
import type { TestServer } from './server.ts'
import type { Row } from './sign-in-rows.ts'

/** With the second factors they have. */
export type Actor = Member & { app?: AuthenticatorApp; passkey?: Passkey }

type Walk = { server: TestServer; browser: Browser; actor: Actor; row: Pick<Row, 'first' | 'second'> }

const PAGES_MAX = 8

/** To the page where nothing more is asked of the person; `pages` are those they answered. */
export async function walk(walking: Walk, start: Page): Promise<{ page: Page; pages: string[] }> {
  const pages: string[] = []
  let page = start
  while (pages.length < PAGES_MAX) {
    const step = stepOn(page)
    if (!step) return { page, pages }
    const { name, answer } = step(walking)
    pages.push(name)
    page = await walking.browser.follow(await answer(page))
  }
  throw new Error(`asked again and again: ${pages.join(', ')}`)
}

type Step = (walking: Walk) => { name: string; answer: (page: Page) => Promise<Page> }

const offers = (page: Page, action: string) => formsOf(page).some((form) => form.action.endsWith(action))

/** What a page asks for, by where its forms lead. */
function stepOn(page: Page): Step | undefined {
  const steps: [string, Step][] = [
    ['/method/password', bringFirst],
    ['/second/totp', bringSecond],
    ['/second/passkey', bringSecond],
    ['/enrol/totp/begin', setUpApp],
    ['/enrol/passkey/add', setUpPasskey],
    ['/consent', allow],
  ]
  return steps.find(([action]) => offers(page, action))?.[1]
}

const allow: Step = ({ browser }) => ({
  name: 'consent',
  answer: (page) => browser.submit(page, '/consent'),
})

const bringFirst: Step = (walking) => ({ name: walking.row.first, answer: FIRST[walking.row.first](walking) })

const FIRST: Record<Row['first'], (walking: Walk) => (page: Page) => Promise<Page>> = {
  password:
    ({ browser, actor }) =>
    (page) =>
      signIn(browser, page, actor),
  'mailed code': (walking) => async (page) => {
    const { letter, waiting } = await askForLetter(walking, page)
    return walking.browser.submit(waiting, '/method/email-code', { code: codeIn(letter) })
  },
  'mailed link': (walking) => async (page) => {
    const { letter } = await askForLetter(walking, page)
    const { browser } = walking
    const opened = await browser.follow(await browser.get(linkIn(letter)))
    return browser.submit(opened, '/method/email-code')
  },
  passkey:
    ({ browser, actor }) =>
    (page) =>
      bringPasskey(browser, page, { ...actor.passkey!, action: '/method/passkey' }),
}

async function askForLetter({ server, browser, actor: { email } }: Walk, page: Page) {
  const had = (await lettersTo(server, email)).filter(({ subject }) => CODE.test(subject)).length
  const waiting = await browser.follow(await browser.submit(page, '/method/email-code/begin', { email }))
  return { waiting, letter: await letterAbout(server, email, { subject: CODE, count: had + 1 }) }
}

const bringSecond: Step = (walking) => {
  const { browser, actor, row } = walking
  // Who has set something up on the way brings that the next time.
  const name = row.second === 'set up on the way' ? (actor.app ? 'app' : 'verified passkey') : row.second
  return {
    name,
    answer: async (page) => {
      if (name === 'app') return bringApp(walking, page)
      if (name !== 'recovery code') {
        const lie = name === 'touched passkey' ? TOUCHED : {}
        return bringPasskey(browser, page, { ...actor.passkey!, action: '/second/passkey', lie })
      }
      const other = await browser.get(`${journeyOf(page)}/second/recovery-codes`)
      return browser.submit(other, '/second/recovery-codes', { code: actor.app!.recoveryCodes.pop()! })
    },
  }
}

async function bringApp({ server, browser, actor }: Walk, page: Page): Promise<Page> {
  // As if they had used it last some time ago: each time step is good for one code.
  await server.database.pool.query(
    `update credentials set counter = counter - 10 where user_id = $1 and type = 'totp'`,
    [actor.id],
  )
  return browser.submit(page, '/second/totp', { code: appCode(actor.app!.secret, new Date()) })
}

const setUpApp: Step = ({ browser, actor }) => ({
  name: 'set up app',
  async answer(page) {
    const setup = await browser.submit(page, '/enrol/totp/begin')
    const secret = secretIn(setup)
    const code = appCode(secret, new Date())
    actor.app = { secret, recoveryCodes: [] }
    await browser.submit(setup, '/enrol/totp/confirm', { code })
    return browser.submit(await browser.get(journeyOf(page)), '/second')
  },
})

const setUpPasskey: Step = ({ server, browser, actor }) => ({
  name: 'set up passkey',
  async answer(page) {
    const asked = await browser.submit(page, '/enrol/passkey/add')
    const { response, ...passkey } = createPasskey(server, asked, { synced: false })
    actor.passkey = passkey
    return browser.submit(asked, '/enrol/passkey/add', { response })
  },
})

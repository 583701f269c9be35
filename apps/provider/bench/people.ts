// People with browsers: they register once, hold a live session, and type their password when asked.
import { randomBytes } from 'node:crypto'
import { type Browser, createBrowser, type Page } from '../test/support/browser.ts'
import { authorizationPath, WEB } from './relying-parties.ts'

const PASSWORD = 'seven orange umbrellas at noon'

/** `cookie` is what a browser sends with every request once its person is signed in. */
export type Person = { email: string; cookie: string }

/** The contender has more to do than it takes on, and says when to come back. */
export class Refused extends Error {}

/** Signed in, by whatever the contender shows. */
export async function createPerson(issuer: string): Promise<Person> {
  const browser = createBrowser()
  const email = `${randomBytes(6).toString('hex')}@example.com`
  let page = await browser.follow(await browser.get(issuer + authorizationPath(WEB)))
  if (page.text.includes('name="password"')) {
    const form = await browser.get(`${page.url}/register`)
    const fields = { email, name: 'Bench', password: PASSWORD }
    page = await browser.follow(await browser.submit(form, '/register', fields))
  }
  codeOf(page)
  const cookies = [...browser.jar.values()].filter(({ path }) => path === '/')
  return { email, cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') }
}

export type SignInForm = { browser: Browser; page: Page }

/**
 * A browser nobody is signed in with, before the sign-in page. One that knows the person costs no letter to them, whose
 * delivery would be counted with the request although nobody waits for it.
 */
export async function openSignIn(issuer: string, known?: Person): Promise<SignInForm> {
  const browser = createBrowser()
  const [name, value] =
    known?.cookie
      .split('; ')
      .find((pair) => pair.includes('browser='))
      ?.split('=') ?? []
  if (name && value) browser.jar.set(name, { name, value, path: '/' })
  return { browser, page: await browser.follow(await browser.get(issuer + authorizationPath(WEB))) }
}

/**
 * Types the password; the code that the app gets.
 * @throws Refused for a 503 that says when to come back
 */
export async function submitPassword({ browser, page }: SignInForm, { email }: Person): Promise<string> {
  const answer = await browser.submit(page, '/method/password', { email, password: PASSWORD })
  if (answer.status === 503 && Number(answer.headers.get('retry-after')) > 0) throw new Refused()
  return codeOf(await browser.follow(answer))
}

function codeOf(page: Page): string {
  const code = page.next && new URL(page.next).searchParams.get('code')
  if (!code) throw new Error(`no code: ${page.status} ${page.url} ${page.next ?? page.text.slice(0, 200)}`)
  return code
}

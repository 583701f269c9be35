import AxeBuilder from '@axe-core/playwright'
import { expect, type Page, test } from '@playwright/test'
import { linkIn, waitForLetter, waitForSubject } from './support/mailbox.ts'
import { createAccount, goToSignIn, newPerson, signIn } from './support/person.ts'
import { newAccount, setUpAuthenticator } from './support/second-step.ts'
import { URLS } from './support/stack.ts'

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

async function askForCode(page: Page) {
  const person = newPerson()
  await goToSignIn(page)
  await page.getByLabel('Email').fill(person.email)
  await page.getByRole('button', { name: 'Email me a code' }).click()
  await expect(page.getByLabel('Code')).toBeVisible()
  return person
}

async function openAccount(page: Page, path: string) {
  await page.goto(`${URLS.provider}/sign-in`)
  await createAccount(page, newPerson())
  await expect(page).toHaveURL(`${URLS.provider}/account`)
  await page.goto(`${URLS.provider}${path}`)
}

/** As our script says it on a device that makes passkeys. */
const makesPasskeys = (page: Page) =>
  page.context().addCookies([{ name: 'anteroom_passkeys', value: 'possible', url: URLS.provider }])
const offerOn = (page: Page) => page.getByRole('heading', { name: 'Sign in without a password next time?' })

/** Signs up, sets an app up, and comes back without a session: to the second step. */
async function comeToSecondStep(page: Page) {
  const person = await newAccount(page)
  await setUpAuthenticator(page)
  await page.context().clearCookies()
  await page.goto(`${URLS.provider}/sign-in`)
  await signIn(page, person)
  await expect(page.getByLabel('Authentication code')).toBeVisible()
  return person
}

/** The owner is signed in, and somebody else asks for the removal of their second step. */
async function askElsewhere(page: Page) {
  const person = await newAccount(page)
  await setUpAuthenticator(page)
  const other = await page.context().browser()!.newPage()
  await other.goto(`${URLS.provider}/sign-in`)
  await signIn(other, person)
  await other.getByRole('link', { name: 'I have lost all of these' }).click()
  await other.getByRole('button', { name: 'I have lost all of these' }).click()
  await expect(other.getByRole('heading', { name: 'Now it needs time' })).toBeVisible()
  await other.context().close()
  return person
}

/** How to come to each page a person can see. */
const PAGES: Record<string, (page: Page) => Promise<unknown>> = {
  'front page': (page) => page.goto(URLS.provider),
  'sign in': (page) => goToSignIn(page),
  'sign in, refused': async (page) => {
    await goToSignIn(page)
    await signIn(page, { ...newPerson(), password: 'wrong' })
    await expect(page.getByRole('alert')).toBeVisible()
  },
  'create account': async (page) => {
    await page.goto(`${URLS.provider}/register`)
    await expect(page.getByRole('button', { name: 'Create account' })).toBeVisible()
  },
  'create account, refused': async (page) => {
    await page.goto(`${URLS.provider}/register`)
    await page.getByLabel('Email').fill('nobody')
    await page.getByRole('button', { name: 'Create account' }).click()
    await expect(page.getByRole('alert')).toBeVisible()
  },
  'a mailed code': (page) => askForCode(page),
  'a mailed code, refused': async (page) => {
    await askForCode(page)
    await page.getByLabel('Code').fill('12')
    await page.getByRole('button', { name: 'Continue' }).click()
    await expect(page.getByRole('alert')).toBeVisible()
  },
  'the link of a letter': async (page) => {
    const { email } = await askForCode(page)
    await page.goto(linkIn(await waitForLetter(email)))
    await expect(page.getByRole('button', { name: 'Continue' })).toBeVisible()
  },
  'a forgotten password': (page) => page.goto(`${URLS.provider}/forgot`),
  'a letter on its way': async (page) => {
    await page.goto(`${URLS.provider}/forgot`)
    await page.getByLabel('Email').fill(newPerson().email)
    await page.getByRole('button', { name: 'Send reset link' }).click()
    await expect(page.getByRole('heading', { name: 'Check your mail' })).toBeVisible()
  },
  'a link that is over': (page) => page.goto(`${URLS.provider}/reset?token=${'x'.repeat(43)}`),
  'account, security': (page) => openAccount(page, '/account/security'),
  'account, password': (page) => openAccount(page, '/account/security/password'),
  'account, address': (page) => openAccount(page, '/account/address'),
  'account, setting up an app': async (page) => {
    await openAccount(page, '/account/security')
    await page.getByRole('button', { name: 'Set up authenticator app' }).click()
    await expect(page.getByLabel('Authentication code')).toBeVisible()
  },
  'account, adding a passkey': async (page) => {
    await openAccount(page, '/account/security')
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await expect(page.getByRole('heading', { name: 'Add a passkey' })).toBeVisible()
  },
  'account, a passkey is offered': async (page) => {
    await makesPasskeys(page)
    await newAccount(page)
    await expect(offerOn(page)).toBeVisible()
  },
  'on the way to an app, a passkey is offered': async (page) => {
    await makesPasskeys(page)
    await goToSignIn(page)
    await createAccount(page, newPerson())
    await expect(offerOn(page)).toBeVisible()
  },
  'the recovery codes of an app': async (page) => {
    await newAccount(page)
    await setUpAuthenticator(page)
  },
  'second step': (page) => comeToSecondStep(page),
  'second step, refused': async (page) => {
    await comeToSecondStep(page)
    await page.getByLabel('Authentication code').fill('000000')
    await page.getByRole('button', { name: 'Continue' }).click()
    await expect(page.getByRole('alert')).toBeVisible()
  },
  'a recovery code': async (page) => {
    await comeToSecondStep(page)
    await page.getByRole('link', { name: 'Use a recovery code' }).click()
    await expect(page.getByLabel('Recovery code')).toBeVisible()
  },
  'a second step that is lost': async (page) => {
    await comeToSecondStep(page)
    await page.getByRole('link', { name: 'I have lost all of these' }).click()
    await expect(page.getByRole('heading', { name: 'Lost your second step?' })).toBeVisible()
  },
  'a recovery that waits': async (page) => {
    await comeToSecondStep(page)
    await page.getByRole('link', { name: 'I have lost all of these' }).click()
    await page.getByRole('button', { name: 'I have lost all of these' }).click()
    await expect(page.getByRole('heading', { name: 'Now it needs time' })).toBeVisible()
  },
  'account, a recovery that somebody asked for': async (page) => {
    await askElsewhere(page)
    await page.goto(`${URLS.provider}/account/security`)
    await expect(page.getByText('Somebody asked to remove your second step')).toBeVisible()
  },
  'on the way to an app, a recovery that somebody asked for': async (page) => {
    await askElsewhere(page)
    await page.goto(URLS.web)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await expect(page.getByRole('heading', { name: 'Was it you?' })).toBeVisible()
  },
  'the link that stops a recovery': async (page) => {
    const { email } = await askElsewhere(page)
    await page.goto(linkIn(await waitForSubject(email, /asked to remove the second step/)))
    await expect(page.getByRole('button', { name: 'Stop it' })).toBeVisible()
  },
  consent: async (page) => {
    const query = `client_id=demo-api-docs&response_type=code&scope=api:read&redirect_uri=${encodeURIComponent(`${URLS.api}/docs/oauth2-redirect`)}&code_challenge=${'a'.repeat(43)}&code_challenge_method=S256`
    await page.goto(`${URLS.provider}/auth?${query}`)
    await createAccount(page, newPerson())
    await expect(page.getByRole('button', { name: 'Allow' })).toBeVisible()
  },
  account: async (page) => {
    await page.goto(`${URLS.provider}/sign-in`)
    await createAccount(page, newPerson())
    await expect(page).toHaveURL(`${URLS.provider}/account`)
  },
  'sign out': async (page) => {
    await page.goto(`${URLS.provider}/sign-in`)
    await createAccount(page, newPerson())
    await expect(page).toHaveURL(`${URLS.provider}/account`)
    await page.goto(`${URLS.provider}/session/end`)
  },
  'signed out': (page) => page.goto(`${URLS.provider}/session/end/success`),
  'unknown app': (page) => page.goto(`${URLS.provider}/auth?client_id=nobody`),
  'page not found': (page) => page.goto(`${URLS.provider}/nowhere`),
}

for (const [name, open] of Object.entries(PAGES)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`${name}, ${colorScheme}: nothing for axe to find, nothing wider than a phone, nothing the policy blocks`, async ({
      page,
    }) => {
      const complaints: string[] = []
      page.on('console', (message) => {
        if (message.type() === 'error' && !/status of 4\d\d/.test(message.text()))
          complaints.push(message.text())
      })
      await page.emulateMedia({ colorScheme })
      await open(page)
      const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze()
      expect(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`),
      ).toEqual([])

      await page.setViewportSize({ width: 320, height: 640 })
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      expect(overflow).toBeLessThanOrEqual(0)
      expect(complaints).toEqual([])
    })
  }
}

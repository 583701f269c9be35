import { type CDPSession, expect, type Page, test } from '@playwright/test'
import { generateSync } from 'otplib'
import { createAccount, goToSignIn, newPerson, type Person, signIn } from './support/person.ts'
import { URLS } from './support/stack.ts'

const SECURITY = `${URLS.provider}/account/security`
const STEP_MS = 30_000

/** Every code is good once: the next one is that of the next step, which the server takes up to half a minute early. */
let lastStep = 0
async function nextCode(secret: string): Promise<string> {
  const step = () => Math.floor(Date.now() / STEP_MS)
  await expect.poll(() => step() + 1 > lastStep, { timeout: 2 * STEP_MS }).toBe(true)
  lastStep = Math.max(step(), lastStep + 1)
  return generateSync({ secret, epoch: lastStep * (STEP_MS / 1000) })
}

async function newAccount(page: Page): Promise<Person> {
  const person = newPerson()
  await page.goto(`${URLS.provider}/sign-in`)
  await createAccount(page, person)
  await expect(page).toHaveURL(`${URLS.provider}/account`)
  return person
}

/** The secret of the app, and the recovery codes shown afterwards. */
async function setUpAuthenticator(page: Page): Promise<{ secret: string; codes: string[] }> {
  await page.goto(SECURITY)
  await page.getByRole('button', { name: 'Set up authenticator app' }).click()
  const secret = (await page.locator('.secret code').innerText()).replaceAll(/\s/g, '')
  await page.getByLabel('Authentication code').fill(await nextCode(secret))
  await page.getByRole('button', { name: 'Continue' }).click()
  await expect(page.getByRole('heading', { name: 'Your recovery codes' })).toBeVisible()
  return { secret, codes: await page.locator('#recovery-codes code').allInnerTexts() }
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled })
    test.setTimeout(180_000)

    test('an authenticator app is set up, asked for at the door, stood in for by paper, and turned off', async ({
      page,
      browser,
    }) => {
      const ada = await newAccount(page)
      const { secret, codes } = await setUpAuthenticator(page)
      expect(codes).toHaveLength(10)

      const elsewhere = await browser.newContext({ javaScriptEnabled })
      const other = await elsewhere.newPage()
      await goToSignIn(other)
      await signIn(other, ada)
      await other.getByLabel('Authentication code').fill(await nextCode(secret))
      await other.getByRole('button', { name: 'Continue' }).click()
      await expect(other).toHaveURL(`${URLS.web}/`)
      await elsewhere.close()

      const again = await browser.newContext({ javaScriptEnabled })
      const third = await again.newPage()
      await third.goto(`${URLS.provider}/sign-in`)
      await signIn(third, ada)
      await third.getByRole('link', { name: 'Use a recovery code' }).click()
      await third.getByLabel('Recovery code').fill(codes[0]!)
      await third.getByRole('button', { name: 'Continue' }).click()
      await expect(third).toHaveURL(`${URLS.provider}/account`)
      await third.goto(SECURITY)
      await third.getByRole('button', { name: 'Turn off authenticator app' }).click()
      await expect(third).toHaveURL(SECURITY)
      await expect(third.getByRole('button', { name: 'Set up authenticator app' })).toBeVisible()
      await again.close()
    })
  })
}

async function addVirtualAuthenticator(page: Page): Promise<CDPSession> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  return devtools
}

/** Signs up on a device that makes passkeys; where that asks whether they want one. */
async function signUpWhereOffered(page: Page): Promise<Person> {
  await addVirtualAuthenticator(page)
  const person = newPerson()
  await page.goto(`${URLS.provider}/sign-in`)
  await createAccount(page, person)
  await expect(page.getByRole('heading', { name: 'Sign in without a password next time?' })).toBeVisible()
  return person
}

test('a passkey offered after signing up is added on the way', async ({ page }) => {
  const ada = await signUpWhereOffered(page)
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  // The browser makes it, and it is shown to work before the account opens.
  await page
    .getByRole('button', { name: 'Continue' })
    .click({ timeout: 5_000 })
    .catch(() => {})
  await expect(page).toHaveURL(`${URLS.provider}/account`)
  await expect(page.getByText(ada.email).first()).toBeVisible()
  await page.goto(SECURITY)
  await expect(page.getByText('Rename or remove')).toBeVisible()
})

test('a passkey is added, opens the door by itself, and is removed', async ({ page, context }) => {
  const ada = await signUpWhereOffered(page)
  await page.getByRole('button', { name: 'Not now' }).click()
  await expect(page).toHaveURL(`${URLS.provider}/account`)
  await page.goto(SECURITY)
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  await expect(page.getByText('Rename or remove')).toBeVisible()

  await context.clearCookies()
  await page.goto(`${URLS.provider}/sign-in`)
  // Offered in the address field at once, or taken by the button: whichever the browser does first.
  await page
    .getByRole('button', { name: 'Sign in with a passkey' })
    .click({ timeout: 5_000 })
    .catch(() => {})
  await expect(page).toHaveURL(`${URLS.provider}/account`)
  await expect(page.getByText(ada.email).first()).toBeVisible()

  await page.goto(SECURITY)
  await page.getByText('Rename or remove').click()
  await page.getByRole('button', { name: 'Remove' }).click()
  await expect(page).toHaveURL(SECURITY)
  await expect(page.getByText('Rename or remove')).toHaveCount(0)
})

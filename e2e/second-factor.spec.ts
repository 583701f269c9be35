import { type Browser, type CDPSession, expect, type Page, test } from '@playwright/test'
import { linkIn, waitForSubject } from './support/mailbox.ts'
import { createAccount, goToSignIn, newPerson, type Person, signIn } from './support/person.ts'
import { newAccount, nextCode, SECURITY, setUpAuthenticator } from './support/second-step.ts'
import { URLS } from './support/stack.ts'

/** With the box ticked the code is asked for once in that browser, until the person has it forgotten. */
async function trustDevice(
  browser: Browser,
  {
    person,
    code,
    javaScriptEnabled,
  }: { person: Person; code(): Promise<string>; javaScriptEnabled: boolean },
): Promise<void> {
  const context = await browser.newContext({ javaScriptEnabled })
  const page = await context.newPage()
  const comeBack = async () => {
    await page.goto(`${URLS.provider}/account`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.goto(`${URLS.provider}/sign-in`)
    await signIn(page, person)
  }
  await page.goto(`${URLS.provider}/sign-in`)
  await signIn(page, person)
  await page.getByLabel('Don’t ask for the second step on this device for 30 days').check()
  await page.getByLabel('Authentication code').fill(await code())
  await page.getByRole('button', { name: 'Continue' }).click()
  await expect(page).toHaveURL(`${URLS.provider}/account`)

  await comeBack()
  await expect(page).toHaveURL(`${URLS.provider}/account`)
  await page.goto(SECURITY)
  await expect(page.getByText('This browser')).toBeVisible()
  await page.getByRole('button', { name: 'Forget this device' }).click()
  await expect(page.getByText('This browser')).toHaveCount(0)

  await comeBack()
  await expect(page.getByLabel('Authentication code')).toBeVisible()
  await context.close()
}

/** Whoever has lost the app asks for it to be removed; the owner, who is signed in elsewhere and reads the letter, stops it. */
async function askAndStop(
  browser: Browser,
  { owner, person, javaScriptEnabled }: { owner: Page; person: Person; javaScriptEnabled: boolean },
): Promise<void> {
  const context = await browser.newContext({ javaScriptEnabled })
  const page = await context.newPage()
  await page.goto(`${URLS.provider}/sign-in`)
  await signIn(page, person)
  await page.getByRole('link', { name: 'I have lost all of these' }).click()
  await page.getByRole('button', { name: 'I have lost all of these' }).click()
  await expect(page.getByRole('heading', { name: 'Now it needs time' })).toBeVisible()

  await owner.goto(`${URLS.provider}/account`)
  await expect(owner.getByText('Somebody asked to remove your second step')).toBeVisible()
  await page.goto(linkIn(await waitForSubject(person.email, /asked to remove the second step/)))
  await page.getByRole('button', { name: 'Stop it' }).click()
  await expect(page.getByRole('heading', { name: 'Your second step stays' })).toBeVisible()
  await owner.reload()
  await expect(owner.getByText('Somebody asked to remove your second step')).toHaveCount(0)
  await context.close()
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

      await trustDevice(browser, { person: ada, code: () => nextCode(secret), javaScriptEnabled })

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

    test('a lost second step is asked to be removed, and the owner stops it', async ({ page, browser }) => {
      const ada = await newAccount(page)
      await setUpAuthenticator(page)
      await askAndStop(browser, { owner: page, person: ada, javaScriptEnabled })
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

const offerOn = (page: Page) => page.getByRole('heading', { name: 'Sign in without a password next time?' })

test('a passkey offered after signing up is added on the way to the app', async ({ page }) => {
  await addVirtualAuthenticator(page)
  const ada = newPerson()
  await goToSignIn(page)
  await createAccount(page, ada)
  await expect(offerOn(page)).toBeVisible()
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  // The browser makes it, and it is shown to work before the app opens.
  await page
    .getByRole('button', { name: 'Continue' })
    .click({ timeout: 5_000 })
    .catch(() => {})
  await expect(page).toHaveURL(`${URLS.web}/`)
  await page.goto(SECURITY)
  await expect(page.getByText('Rename or remove')).toBeVisible()
})

test('a passkey is added, opens the door by itself, and is removed', async ({ page, context }) => {
  await addVirtualAuthenticator(page)
  const ada = await newAccount(page)
  await page.goto(`${URLS.provider}/account`)
  await expect(offerOn(page)).toBeVisible()
  await page.getByRole('button', { name: 'Not now' }).click()
  await expect(offerOn(page)).toHaveCount(0)
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

import { expect, test } from '@playwright/test'
import { askForAccount, createAccount, enterCode, goToSignIn, newPerson, signIn } from './support/person.ts'
import { STALE_AFTER_MS, URLS } from './support/stack.ts'

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled })

    test('a stranger creates an account on the way to the app, signs out of both, and is asked for the password again', async ({
      page,
    }) => {
      const ada = newPerson()
      await goToSignIn(page)
      await createAccount(page, ada)

      await expect(page).toHaveURL(`${URLS.web}/`)
      await expect(page.getByRole('heading', { name: `Hello, ${ada.name}` })).toBeVisible()
      await expect(page.getByText(ada.email)).toBeVisible()
      await expect(page.getByText('api:read')).toBeVisible()

      await page.getByRole('button', { name: 'Sign out' }).click()
      await expect(page).toHaveURL(new RegExp(`^${URLS.web}/?$`))
      await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible()

      await page.getByRole('button', { name: 'Sign in' }).click()
      await expect(page.getByLabel('Password', { exact: true })).toBeVisible()
      await signIn(page, ada)
      await expect(page.getByRole('heading', { name: `Hello, ${ada.name}` })).toBeVisible()
    })

    test('wrong input is told at the field and in a summary, and nothing typed is lost but the password', async ({
      page,
    }) => {
      const ada = newPerson()
      await goToSignIn(page)
      await signIn(page, { ...ada, password: 'not the password' })
      await expect(page).toHaveTitle(/^Error: /)
      await expect(page.getByRole('alert')).toBeVisible()
      await expect(page.getByLabel('Email')).toHaveValue(ada.email)
      await expect(page.getByLabel('Password', { exact: true })).toHaveValue('')

      await askForAccount(page, { ...ada, password: 'password' })
      await expect(page).toHaveTitle(/^Error: /)
      await expect(page.getByLabel('Name (optional)')).toHaveValue(ada.name)
      await page.getByLabel('Password', { exact: true }).fill(ada.password)
      await page.getByRole('button', { name: 'Create account' }).click()
      await enterCode(page, ada.email)
      await expect(page.getByRole('heading', { name: `Hello, ${ada.name}` })).toBeVisible()
    })

    test('cancelling leads back to the app, signed out', async ({ page }) => {
      await goToSignIn(page)
      await page.getByRole('button', { name: 'Cancel' }).click()
      await expect(page).toHaveURL(new RegExp(`^${URLS.web}`))
      await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible()
    })

    test('our own pages: create an account, see it, sign out', async ({ page }) => {
      const ada = newPerson()
      await page.goto(`${URLS.provider}/register`)
      await page.getByLabel('Email').fill(ada.email)
      await page.getByLabel('Password', { exact: true }).fill(ada.password)
      await page.getByRole('button', { name: 'Create account' }).click()
      await enterCode(page, ada.email)
      await expect(page).toHaveURL(`${URLS.provider}/account`)
      await expect(page.getByText(ada.email).first()).toBeVisible()
      await page.getByRole('button', { name: 'Sign out' }).click()
      await expect(page).toHaveURL(new RegExp(`^${URLS.provider}/session/end/success`))
      await page.goto(`${URLS.provider}/account`)
      await expect(page.getByLabel('Password', { exact: true })).toBeVisible()
    })
  })
}

test('a second sign-in, with a session, asks for nothing', async ({ page, context }) => {
  const ada = newPerson()
  await goToSignIn(page)
  await createAccount(page, ada)
  await expect(page.getByRole('heading', { name: `Hello, ${ada.name}` })).toBeVisible()
  const cookies = await context.cookies()
  await context.clearCookies({ name: /next-auth/ })
  expect(cookies.length).toBeGreaterThan(0)

  await page.goto(URLS.web)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('heading', { name: `Hello, ${ada.name}` })).toBeVisible()
})

test('the access token is refreshed without anyone noticing, and five tabs at once keep their session', async ({
  page,
}) => {
  const ada = newPerson()
  await goToSignIn(page)
  await createAccount(page, ada)
  await expect(page.getByText('api:read')).toBeVisible()
  const before = await sessionCookie(page)

  await expect
    .poll(
      async () => {
        await page.reload()
        return sessionCookie(page)
      },
      { timeout: 3 * STALE_AFTER_MS, intervals: [STALE_AFTER_MS] },
    )
    .not.toBe(before)
  await expect(page.getByText('api:read')).toBeVisible()

  const outlived = Date.now() + STALE_AFTER_MS
  await expect.poll(() => Date.now() > outlived).toBe(true)
  const answers = await page.evaluate(() =>
    Promise.all(
      Array.from(
        { length: 5 },
        async () => (await fetch('/api/auth/session')).json() as Promise<{ error?: string; user?: object }>,
      ),
    ),
  )
  expect(answers.filter(({ error, user }) => user && !error)).toHaveLength(5)
  await page.reload()
  await expect(page.getByText('api:read')).toBeVisible()
})

test('no token reaches the browser', async ({ page }) => {
  await goToSignIn(page)
  await createAccount(page, newPerson())
  await expect(page.getByText('api:read')).toBeVisible()
  const session = await page.evaluate(async () => (await fetch('/api/auth/session')).text())
  expect(session).not.toMatch(/token|eyJ/)
  expect(await page.content()).not.toContain('eyJ')
})

async function sessionCookie(page: import('@playwright/test').Page): Promise<string> {
  const cookies = await page.context().cookies(URLS.web)
  return cookies
    .filter(({ name }) => name.includes('session-token'))
    .map(({ value }) => value)
    .join('')
}

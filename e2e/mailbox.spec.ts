import { expect, test } from '@playwright/test'
import { codeIn, lettersTo, linkIn, waitForLetter, waitForSubject } from './support/mailbox.ts'
import { createAccount, enterCode, goToSignIn, newPerson, signIn } from './support/person.ts'
import { URLS } from './support/stack.ts'

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled })

    test('a stranger comes in by a mailed code alone, and again on another day', async ({
      page,
      browser,
    }) => {
      const { email } = newPerson()
      await goToSignIn(page)
      await page.getByLabel('Email').fill(email)
      await page.getByRole('button', { name: 'Email me a code' }).click()
      await expect(page.getByRole('heading', { name: 'Check your mail' })).toBeVisible()
      await enterCode(page, email)
      await expect(page).toHaveURL(`${URLS.web}/`)
      await expect(page.getByText(email).first()).toBeVisible()

      const elsewhere = await browser.newContext({ javaScriptEnabled })
      const other = await elsewhere.newPage()
      await goToSignIn(other)
      await other.getByLabel('Email').fill(email)
      await other.getByRole('button', { name: 'Email me a code' }).click()
      await enterCode(other, email, 2)
      await expect(other).toHaveURL(`${URLS.web}/`)
      await waitForSubject(email, /new browser|new device|sign-in/i)
      await elsewhere.close()
    })

    test('a code is pasted with spaces, a wrong one is told, and a reload changes nothing', async ({
      page,
    }) => {
      const { email } = newPerson()
      await goToSignIn(page)
      await page.getByLabel('Email').fill(email)
      await page.getByRole('button', { name: 'Email me a code' }).click()
      const code = codeIn(await waitForLetter(email))
      await page.getByLabel('Code').fill(code === '000000' ? '000001' : '000000')
      await page.getByRole('button', { name: 'Continue' }).click()
      await expect(page).toHaveTitle(/^Error: /)
      await expect(page.getByRole('alert')).toBeVisible()
      await page.goto(page.url().replace(/\/method.*/, ''))
      await page.getByLabel('Code').fill(` ${code.slice(0, 3)} ${code.slice(3)} `)
      await page.getByRole('button', { name: 'Continue' }).click()
      await expect(page).toHaveURL(`${URLS.web}/`)
    })

    test('the link of the letter leads on with one button, in the browser that asked', async ({
      page,
      browser,
    }) => {
      const { email } = newPerson()
      await goToSignIn(page)
      await page.getByLabel('Email').fill(email)
      await page.getByRole('button', { name: 'Email me a code' }).click()
      await expect(page.getByLabel('Code')).toBeVisible()
      const link = linkIn(await waitForLetter(email))

      const elsewhere = await browser.newContext({ javaScriptEnabled })
      const other = await elsewhere.newPage()
      await other.goto(link)
      await expect(other.getByText(/type the code/i)).toBeVisible()
      await elsewhere.close()

      await page.goto(link)
      expect(page.url()).not.toContain('token')
      await page.getByRole('button', { name: 'Continue' }).click()
      await expect(page).toHaveURL(`${URLS.web}/`)
    })

    test('a forgotten password is replaced by mail, and every other browser is signed out', async ({
      page,
      browser,
    }) => {
      const ada = newPerson()
      await page.goto(`${URLS.provider}/sign-in`)
      await createAccount(page, ada)
      await expect(page).toHaveURL(`${URLS.provider}/account`)

      const elsewhere = await browser.newContext({ javaScriptEnabled })
      const other = await elsewhere.newPage()
      await goToSignIn(other)
      await other.getByRole('link', { name: 'Forgot password?' }).click()
      await other.getByLabel('Email').fill(ada.email)
      await other.getByRole('button', { name: 'Send reset link' }).click()
      const letter = await waitForLetter(ada.email, 2)
      await other.goto(linkIn(letter))
      const password = 'nine purple lanterns by the river'
      await other.getByLabel('New password').fill(password)
      await other.getByRole('button', { name: 'Save password' }).click()
      await waitForSubject(ada.email, /password/i)

      await page.goto(`${URLS.provider}/account`)
      await expect(page.getByLabel('Password', { exact: true })).toBeVisible()
      await signIn(page, ada)
      await expect(page).toHaveTitle(/^Error: /)
      await signIn(page, { ...ada, password })
      await expect(page).toHaveURL(`${URLS.provider}/account`)
      await elsewhere.close()
    })

    test('a person changes their address, and has it back from the old mailbox', async ({
      page,
      browser,
    }) => {
      const ada = newPerson()
      const next = newPerson().email
      await page.goto(`${URLS.provider}/sign-in`)
      await createAccount(page, ada)
      await expect(page).toHaveURL(`${URLS.provider}/account`)
      await page.goto(`${URLS.provider}/account/address`)
      await page.getByLabel('New email').fill(next)
      await page.getByRole('button', { name: 'Continue' }).click()
      await enterCode(page, next)
      await expect(page).toHaveURL(`${URLS.provider}/account`)
      await expect(page.getByText(next).first()).toBeVisible()

      const undo = await waitForSubject(ada.email, /address/i)
      const elsewhere = await browser.newContext({ javaScriptEnabled })
      const other = await elsewhere.newPage()
      await other.goto(linkIn(undo))
      await other.getByRole('main').getByRole('button').first().click()
      await expect(other.getByText(ada.email).first()).toBeVisible()
      await page.goto(`${URLS.provider}/account`)
      await expect(page.getByLabel('Password', { exact: true })).toBeVisible()
      await elsewhere.close()
    })

    test('a person changes name and password in their account', async ({ page }) => {
      const ada = newPerson()
      await page.goto(`${URLS.provider}/sign-in`)
      await createAccount(page, ada)
      await expect(page).toHaveURL(`${URLS.provider}/account`)
      await page.getByLabel('Name (optional)').fill('Ada King')
      await page.getByRole('button', { name: 'Save' }).click()
      await expect(page.getByLabel('Name (optional)')).toHaveValue('Ada King')
      await page.goto(`${URLS.provider}/account/security`)
      await page
        .getByRole('link', { name: 'Change password' })
        .or(page.getByRole('button', { name: 'Change password' }))
        .click()
      const password = 'nine purple lanterns by the river'
      await page.getByLabel('Current password').fill(ada.password)
      await page.getByLabel('New password').fill(password)
      await page.getByRole('button', { name: 'Save password' }).click()
      await expect(page).toHaveURL(`${URLS.provider}/account/security`)
      await waitForSubject(ada.email, /password/i)
      await page.getByRole('button', { name: 'Sign out' }).click()
      await expect(page).toHaveURL(new RegExp(`^${URLS.provider}/session/end/success`))
    })
  })
}

test('an address that has an account is told about it in the mailbox and nowhere else', async ({
  page,
  browser,
}) => {
  const ada = newPerson()
  await page.goto(`${URLS.provider}/sign-in`)
  await createAccount(page, ada)
  await expect(page).toHaveURL(`${URLS.provider}/account`)
  const elsewhere = await browser.newContext()
  const other = await elsewhere.newPage()
  await other.goto(`${URLS.provider}/register`)
  await other.getByLabel('Email').fill(ada.email)
  await other.getByLabel('Password', { exact: true }).fill('another long pass phrase here')
  await other.getByRole('button', { name: 'Create account' }).click()
  await expect(other.getByRole('heading', { name: 'Check your mail' })).toBeVisible()
  await waitForSubject(ada.email, /already/i)
  expect((await lettersTo(ada.email)).filter(({ subject }) => /^\d/.test(subject))).toHaveLength(1)
  await elsewhere.close()
})

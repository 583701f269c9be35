import { randomBytes } from 'node:crypto'
import { expect, type Page } from '@playwright/test'
import { codeIn, waitForLetter } from './mailbox.ts'
import { URLS } from './stack.ts'

export type Person = { email: string; name: string; password: string }

export const newPerson = (): Person => ({
  email: `ada.${randomBytes(5).toString('hex')}@example.com`,
  name: 'Ada Lovelace',
  password: 'seven orange umbrellas at noon',
})

/** From our sign-in page, wherever it came from, to wherever it leads: the form, and the code from the letter. */
export async function createAccount(page: Page, person: Person): Promise<void> {
  await askForAccount(page, person)
  await enterCode(page, person.email)
}

/** The code of the newest letter, on the page that waits for it. */
export async function enterCode(page: Page, email: string, count = 1): Promise<void> {
  await expect(page.getByLabel('Code')).toBeVisible()
  await page.getByLabel('Code').fill(codeIn(await waitForLetter(email, count)))
  await page.getByRole('button', { name: 'Continue' }).click()
}

export async function askForAccount(page: Page, person: Person): Promise<void> {
  await page.getByRole('link', { name: 'Create account' }).click()
  await page.getByLabel('Email').fill(person.email)
  await page.getByLabel('Name (optional)').fill(person.name)
  await page.getByLabel('Password', { exact: true }).fill(person.password)
  await page.getByRole('button', { name: 'Create account' }).click()
}

export async function signIn(page: Page, { email, password }: Person): Promise<void> {
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

/** From the example app, signed out, to our sign-in page. */
export async function goToSignIn(page: Page): Promise<void> {
  await page.goto(URLS.web)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page).toHaveURL(new RegExp(`^${URLS.provider}/interaction/`))
}

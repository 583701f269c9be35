import { expect, type Page } from '@playwright/test'
import { generateSync } from 'otplib'
import { createAccount, newPerson, type Person } from './person.ts'
import { URLS } from './stack.ts'

export const SECURITY = `${URLS.provider}/account/security`
const STEP_MS = 30_000

/** Every code is good once: the next one is that of the next step, which the server takes up to half a minute early. */
let lastStep = 0
export async function nextCode(secret: string): Promise<string> {
  const step = () => Math.floor(Date.now() / STEP_MS)
  await expect.poll(() => step() + 1 > lastStep, { timeout: 2 * STEP_MS }).toBe(true)
  lastStep = Math.max(step(), lastStep + 1)
  return codeAt(secret, lastStep)
}

const codeAt = (secret: string, step: number) => generateSync({ secret, epoch: step * (STEP_MS / 1000) })

export async function newAccount(page: Page): Promise<Person> {
  const person = newPerson()
  await page.goto(`${URLS.provider}/sign-in`)
  await createAccount(page, person)
  await expect(page).toHaveURL(`${URLS.provider}/account`)
  return person
}

/** The secret of the app, and the recovery codes shown afterwards. `code`: what the app shows. */
export async function setUpAuthenticator(
  page: Page,
  code: (secret: string) => Promise<string> = nextCode,
): Promise<{ secret: string; codes: string[] }> {
  await page.goto(SECURITY)
  await page.getByRole('button', { name: 'Set up authenticator app' }).click()
  const secret = (await page.locator('.secret code').innerText()).replaceAll(/\s/g, '')
  await page.getByLabel('Authentication code').fill(await code(secret))
  await page.getByRole('button', { name: 'Continue' }).click()
  await expect(page.getByRole('heading', { name: 'Your recovery codes' })).toBeVisible()
  return { secret, codes: await page.locator('#recovery-codes code').allInnerTexts() }
}

/** Of somebody who has an app, and brings a code of it once. */
export const codeNow = async (secret: string) => codeAt(secret, Math.floor(Date.now() / STEP_MS))

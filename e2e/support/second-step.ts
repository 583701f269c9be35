import { expect, type Page } from '@playwright/test'
import { generateSync } from 'otplib'
import { createAccount, newPerson, type Person } from './person.ts'
import { URLS } from './stack.ts'

export const SECURITY = `${URLS.provider}/account/security`
const STEP_MS = 30_000

/** Of each app, the step whose code was used last. */
const used = new Map<string, number>()

/** Every code is good once: the next one is that of the next step, which the server takes up to half a minute early. */
export async function nextCode(secret: string): Promise<string> {
  const now = () => Math.floor(Date.now() / STEP_MS)
  const last = used.get(secret) ?? 0
  await expect.poll(() => now() + 1 > last, { timeout: 2 * STEP_MS }).toBe(true)
  const step = Math.max(now(), last + 1)
  used.set(secret, step)
  return generateSync({ secret, epoch: step * (STEP_MS / 1000) })
}

export async function newAccount(page: Page): Promise<Person> {
  const person = newPerson()
  await page.goto(`${URLS.provider}/sign-in`)
  await createAccount(page, person)
  await expect(page).toHaveURL(`${URLS.provider}/account`)
  return person
}

/** The secret of the app, and the recovery codes shown afterwards. */
export async function setUpAuthenticator(page: Page): Promise<{ secret: string; codes: string[] }> {
  await page.goto(SECURITY)
  await page.getByRole('button', { name: 'Set up authenticator app' }).click()
  const secret = (await page.locator('.secret code').innerText()).replaceAll(/\s/g, '')
  await page.getByLabel('Authentication code').fill(await nextCode(secret))
  await page.getByRole('button', { name: 'Continue' }).click()
  await expect(page.getByRole('heading', { name: 'Your recovery codes' })).toBeVisible()
  return { secret, codes: await page.locator('#recovery-codes code').allInnerTexts() }
}

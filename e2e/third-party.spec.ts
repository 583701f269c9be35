import { expect, test } from '@playwright/test'
import { enterCode, newPerson } from './support/person.ts'
import { URLS } from './support/stack.ts'

test('the API’s documentation page authorizes with PKCE: the person is asked, agrees, and the API answers', async ({
  page,
  context,
}) => {
  const ada = newPerson()
  await page.goto(`${URLS.api}/docs`)
  await page.getByRole('button', { name: 'Authorize' }).first().click()
  const dialog = page.locator('.dialog-ux')
  await dialog.getByText('select all', { exact: true }).first().click()
  const opened = context.waitForEvent('page')
  await dialog.locator('button.authorize').first().click()

  const window = await opened
  await window.getByRole('link', { name: 'Create account' }).click()
  await window.getByLabel('Email').fill(ada.email)
  await window.getByLabel('Password', { exact: true }).fill(ada.password)
  await window.getByRole('button', { name: 'Create account' }).click()
  await enterCode(window, ada.email)
  await expect(window.getByText('Demo API documentation').first()).toBeVisible()
  await expect(window.getByText('See what the demo API knows about you')).toBeVisible()
  const closed = window.waitForEvent('close')
  await window.getByRole('button', { name: 'Allow' }).click()
  await closed

  await dialog.locator('button.btn-done').first().click()
  await page.getByText('What the API knows about you').click()
  await page.getByRole('button', { name: 'Try it out' }).click()
  await page.getByRole('button', { name: 'Execute' }).click()
  await expect(page.locator('.live-responses-table tr.response .response-col_status').first()).toContainText(
    '200',
  )
})

test('who does not agree goes back to the app with access_denied, and nothing was allowed', async ({
  page,
}) => {
  const ada = newPerson()
  const request = new URLSearchParams({
    client_id: 'demo-api-docs',
    response_type: 'code',
    scope: 'api:read',
    resource: URLS.api,
    redirect_uri: `${URLS.api}/docs/oauth2-redirect`,
    code_challenge: 'a'.repeat(43),
    code_challenge_method: 'S256',
    state: 'kept',
    prompt: 'create',
  })
  await page.goto(`${URLS.provider}/auth?${request}`)
  await page.getByLabel('Email').fill(ada.email)
  await page.getByLabel('Password', { exact: true }).fill(ada.password)
  await page.getByRole('button', { name: 'Create account' }).click()
  const back = page.waitForRequest((sent) => sent.url().startsWith(`${URLS.api}/docs/oauth2-redirect`))
  await page.getByRole('button', { name: 'Cancel' }).click()
  const answer = new URL((await back).url()).searchParams
  expect(answer.get('error')).toBe('access_denied')
  expect(answer.get('state')).toBe('kept')
})

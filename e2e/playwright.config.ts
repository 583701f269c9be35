// The journeys in a real Chromium, against what `npm start` starts.
import { defineConfig, devices } from '@playwright/test'
import { URLS } from './support/stack.ts'

const executablePath = process.env['CHROMIUM_PATH'] || undefined

export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  globalSetup: './support/global-setup.ts',
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  forbidOnly: true,
  use: {
    ...devices['Desktop Chrome'],
    baseURL: URLS.web,
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    },
  },
})

import { Command } from 'commander'
import { SETTINGS } from '../config/settings.ts'

/** What can be set, from the one place where it is declared; the README carries the same table. */
export const settingsCommand = () =>
  new Command('settings')
    .description('lists every setting as a Markdown table')
    .option('--json', 'answer as JSON')
    .action(({ json }: { json?: boolean }) => {
      const list = Object.entries(SETTINGS).map(([name, { about, shown, secret }]) => ({
        name,
        default: shown,
        about,
        secret,
      }))
      process.stdout.write(json ? `${JSON.stringify(list)}\n` : settingsTable())
    })

export function settingsTable(): string {
  const rows = Object.entries(SETTINGS).map(
    ([name, { about, shown, secret }]) => `| \`${name}\` | ${shown} | ${about}${secret ? ' 🔒' : ''} |`,
  )
  return ['| setting | default | meaning |', '|---|---|---|', ...rows, ''].join('\n')
}

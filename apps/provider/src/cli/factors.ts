import { Command } from 'commander'
import { PRESETS } from '../config/factors.ts'
import { DAY, HOUR } from '../lib/clock.ts'
import { factorsTable } from '../policy/table.ts'

/** What every combination of factors and requests comes to, from the rules themselves; docs/factors.md carries the same. */
export const factorsCommand = () =>
  new Command('factors')
    .description('lists what every combination of factors comes to, as a Markdown table')
    .option('--presets', 'list the presets of policy.factors instead')
    .option('--json', 'answer as JSON')
    .action(({ presets, json }: { presets?: boolean; json?: boolean }) => {
      const table = presets ? presetsTable() : factorsTable()
      process.stdout.write(json ? `${JSON.stringify(presets ? PRESETS : rowsOf(table))}\n` : table)
    })

const cells = (row: string) =>
  row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())

function rowsOf(table: string): Record<string, string>[] {
  const [head = '', , ...rows] = table.trim().split('\n')
  const names = cells(head)
  return rows.map((row) => Object.fromEntries(cells(row).map((cell, index) => [names[index] ?? '', cell])))
}

const lengthOf = (ms: number) => (ms === 0 ? '0s' : ms > 72 * HOUR ? `${ms / DAY}d` : `${ms / HOUR}h`)

export function presetsTable(): string {
  const presets = Object.entries(PRESETS)
  const row = (name: string, tell: (preset: (typeof PRESETS)[keyof typeof PRESETS]) => string) =>
    `| ${[name, ...presets.map(([, preset]) => tell(preset))].join(' | ')} |`
  return [
    `| key | ${presets.map(([name]) => `\`${name}\``).join(' | ')} |`,
    `|${'---|'.repeat(presets.length + 1)}`,
    row('`factors.second_factor_for`', (preset) => preset.second_factor_for),
    row('`factors.accepted`', ({ accepted }) => accepted.join(', ')),
    row('`factors.trusted_device`', (preset) => lengthOf(preset.trusted_device)),
    row('`factors.recovery_wait`', (preset) => lengthOf(preset.recovery_wait)),
    row('`password.min_length`', ({ password }) => String(password)),
    '',
  ].join('\n')
}

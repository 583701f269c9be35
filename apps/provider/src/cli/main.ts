// Operator commands: `npm run --silent cli -- <command>`. Exit code 0 done, 1 failed, 2 wrong usage.
import { Command, CommanderError } from 'commander'
import { factorsCommand } from './factors.ts'
import { healthCommand } from './health.ts'
import { keysCommand } from './keys.ts'
import { mailCommand } from './mail.ts'
import { settingsCommand } from './settings.ts'

const USAGE = 2

const program = new Command('anteroom')
  .description('Operates an Anteroom. Settings come from the environment, as for the server.')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text) })
for (const command of [factorsCommand(), healthCommand(), keysCommand(), mailCommand(), settingsCommand()])
  program.addCommand(command.exitOverride())

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : USAGE)
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exit(1)
}

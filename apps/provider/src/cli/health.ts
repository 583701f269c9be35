import { Command } from 'commander'
import { readConfig } from '../config.ts'

const TIMEOUT_MS = 3000

/** For a container's health check, which has no curl: is the server on this machine able to serve? */
export const healthCommand = () =>
  new Command('health')
    .description('asks the server on this machine whether it can serve')
    .option('--json', 'answer as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const { PORT } = readConfig(process.env)
      const status = await ask(`http://127.0.0.1:${PORT}/readyz`)
      process.stdout.write(json ? `${JSON.stringify({ status })}\n` : `${status}\n`)
      if (status !== 'ready') process.exitCode = 1
    })

async function ask(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    return answer.ok ? 'ready' : 'not ready'
  } catch {
    return 'no answer'
  }
}

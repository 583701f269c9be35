import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** `real` is ours; `alone` is ours without company: each commit by itself, twenty at once; `naive` checks without claiming. */
export type Variant = 'real' | 'alone' | 'naive'

export type ProviderProcess = { origin: string; stop(): Promise<void> }

const SERVER = fileURLToPath(new URL('server.ts', import.meta.url))

/** Starts a Provider in a process of its own, resolved when it listens. */
export async function startProvider(
  url: string,
  window: number,
  variant: Variant = 'real',
): Promise<ProviderProcess> {
  const child = fork(SERVER, [url, String(window), variant], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const origin = await Promise.race([
    firstMessage(child),
    exited.then(() => Promise.reject(new Error('did not start'))),
  ])
  return {
    origin,
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function firstMessage(child: ChildProcess): Promise<string> {
  const [origin] = await once(child, 'message')
  return origin as string
}

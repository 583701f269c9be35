import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { SECOND } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { EmbeddedSettings } from './embedded-worker.ts'

const RESTART_AFTER = SECOND
const STOP_PATIENCE = 10 * SECOND

export type Engine = {
  /** Ends a thread that answers no more; another takes its place. */
  giveUp(): void
  stop(): Promise<void>
}

/**
 * Runs the engine in its thread. Should it break down it is started again; until then connections are refused,
 * just as with a server that restarts.
 */
export async function keepEngineRunning(settings: EmbeddedSettings, log: Log): Promise<Engine> {
  let stopping = false

  const watch = (worker: Worker) =>
    worker.once('exit', () => {
      if (stopping) return
      log.error('the embedded database broke down and is started again')
      thread = restart()
    })

  const restart = async (): Promise<Worker | null> => {
    while (!stopping) {
      await wait(RESTART_AFTER)
      const worker = await startThread(settings, log).catch(() => null)
      if (worker) return watch(worker)
    }
    return null
  }

  let thread: Promise<Worker | null> = startThread(settings, log).then(watch)
  await thread
  return {
    giveUp() {
      void thread.then((worker) => worker?.terminate())
    },
    async stop() {
      stopping = true
      const worker = await thread
      if (worker) await endThread(worker)
    },
  }
}

/** Resolves when the engine listens. */
function startThread(settings: EmbeddedSettings, log: Log): Promise<Worker> {
  const worker = new Worker(new URL('./embedded-worker.ts', import.meta.url), { workerData: settings })
  worker.on('error', (error) => log.error({ err: error }, 'the embedded database failed'))
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve(worker))
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`the embedded database ended with exit code ${code}`)))
  })
}

/** The engine writes what it holds and closes its files; one that no longer listens is ended. */
function endThread(worker: Worker): Promise<void> {
  const patience = setTimeout(() => worker.terminate(), STOP_PATIENCE)
  worker.postMessage('stop')
  return new Promise((resolve) => {
    worker.once('exit', () => {
      clearTimeout(patience)
      resolve()
    })
  })
}

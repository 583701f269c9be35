import { setTimeout } from 'node:timers/promises'
import type { Log } from '../lib/log.ts'

export type Job = {
  name: string
  /** Milliseconds between two runs, more or less; the first comes after as long a while. */
  every: number
  /** Must break off soon when the signal comes. */
  run(signal: AbortSignal): Promise<void>
}

/** Resolved when a run that is under way has broken off. */
export type Repetition = { stop(): Promise<void> }

/** A run that fails is told to the log and comes again. Instances started together do not stay together. */
export function repeat({ name, every, run }: Job, log: Log, random = Math.random): Repetition {
  const stopping = new AbortController()
  const { signal } = stopping

  async function goOn() {
    while (!signal.aborted) {
      try {
        await setTimeout(every * (0.75 + random() / 2), undefined, { signal, ref: false })
        await run(signal)
      } catch (error) {
        if (!signal.aborted) log.error({ err: error, job: name }, 'a job failed and is tried again later')
      }
    }
  }

  const gone = goOn()
  return {
    stop() {
      stopping.abort()
      return gone
    },
  }
}

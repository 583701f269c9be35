// Does the process grow? So many code flows, and what is left after a collection every 10,000.
import type { Contender } from './contenders.ts'
import { runRound } from './measure.ts'
import type { Operation } from './operations.ts'

export type Sample = { flows: number; rssBytes: number; heapBytes: number; errors: number }

const EVERY = 10_000
/** Two to become warm, and one to grow. */
export const LEAST_FLOWS = 3 * EVERY
const AT_ONCE = 32
const MIB = 1024 * 1024
/** Over everything after the warm-up. A leak of one small object per flow is ten times as much over 80,000. */
const MOST_GROWTH = 4 * MIB

export async function watchMemory(
  contender: Contender,
  { operation, flows }: { operation: Operation; flows: number },
): Promise<Sample[]> {
  const samples: Sample[] = []
  for (let done = 0; done < flows; ) {
    const times = Math.min(EVERY, flows - done)
    const { rssBytes, heapBytes, errors } = await runRound(contender, {
      operation,
      concurrency: AT_ONCE,
      times,
    })
    done += times
    samples.push({ flows: done, rssBytes, heapBytes, errors })
    process.stdout.write(
      `  ${done} flows: RSS ${(rssBytes / MIB).toFixed(1)} MiB, heap ${(heapBytes / MIB).toFixed(1)} MiB\n`,
    )
  }
  return samples
}

/** In words, and whether all is well. The heap is judged; RSS also moves with what the allocator keeps. */
export function judgeMemory(samples: Sample[]): { ok: boolean; says: string } {
  const warm = samples[1]!
  const last = samples.at(-1)!
  const heap = last.heapBytes - warm.heapBytes
  const errors = samples.reduce((sum, sample) => sum + sample.errors, 0)
  return {
    ok: heap < MOST_GROWTH && errors === 0,
    says:
      `memory from ${warm.flows} to ${last.flows} code flows: heap ${signed(heap)} (under ${MOST_GROWTH / MIB} MiB), ` +
      `RSS ${signed(last.rssBytes - warm.rssBytes)}, ${errors} errors`,
  }
}

const signed = (bytes: number) => `${bytes < 0 ? '−' : '+'}${Math.abs(bytes / MIB).toFixed(1)} MiB`

// 200 people press "Sign in" at once while apps go on refreshing at a quiet pace: does the quiet work suffer?
import { type Contender, createPeople } from './contenders.ts'
import { openWorkers, percentile } from './measure.ts'
import type { Worker } from './operations.ts'
import { openSignIn, type Person, Refused, type SignInForm, submitPassword } from './people.ts'
import { SPA } from './relying-parties.ts'
import { authorize, exchange, refresh } from './requests.ts'
import { PATIENCE } from './wire.ts'

/** Times in milliseconds. */
export type Storm = {
  quietP95: number
  stormP95: number
  ratio: number
  signedIn: number
  refused: number
  failed: number
  refreshErrors: number
  longest: number
}

const CROWD = 200
const REFRESHES_PER_SECOND = 100
const QUIET_MS = 4000
const PAGES_AT_ONCE = 8

/** The people registered before and have the page open: what comes at once is 200 passwords. */
export async function runStorms(contender: Contender, rounds: number): Promise<Storm[]> {
  const crowd = await createPeople(contender.issuer, CROWD)
  const storms: Storm[] = []
  for (let i = 0; i < rounds; i++) storms.push(await runStorm(contender, crowd))
  return storms
}

async function runStorm(contender: Contender, crowd: Person[]): Promise<Storm> {
  const forms = await openForms(contender.issuer, crowd.length)
  const workers = openWorkers(contender, contender.people.length)
  await Promise.all(workers.map(beginFamily))
  const apps = refreshSteadily(workers)
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  const quiet = apps.collect()
  const ends = await Promise.all(forms.map((form, i) => press(form, crowd[i]!)))
  const storm = apps.collect()
  await apps.stop()
  for (const { wire } of workers) wire.close()

  const count = (outcome: string) => ends.filter((end) => end.outcome === outcome).length
  const [quietP95, stormP95] = [percentile(quiet, 0.95), percentile(storm, 0.95)]
  return {
    quietP95,
    stormP95,
    ratio: stormP95 / quietP95,
    signedIn: count('signed in'),
    refused: count('refused'),
    failed: count('failed'),
    refreshErrors: apps.errors(),
    longest: Math.max(...ends.map(({ ms }) => ms)),
  }
}

async function openForms(issuer: string, count: number): Promise<SignInForm[]> {
  const forms: SignInForm[] = []
  while (forms.length < count)
    forms.push(...(await Promise.all(Array.from({ length: PAGES_AT_ONCE }, () => openSignIn(issuer)))))
  return forms.slice(0, count)
}

async function beginFamily(worker: Worker): Promise<void> {
  const { wire, person } = worker
  worker.kept.tokens = await exchange(wire, SPA, await authorize(wire, SPA, person.cookie))
}

type End = { outcome: 'signed in' | 'refused' | 'failed'; ms: number }

async function press(form: SignInForm, person: Person): Promise<End> {
  const began = performance.now()
  const done = (outcome: End['outcome']): End => ({ outcome, ms: performance.now() - began })
  try {
    await submitPassword(form, person)
    return done('signed in')
  } catch (error) {
    return done(error instanceof Refused ? 'refused' : 'failed')
  }
}

/** Asks whether or not the last one was answered, and counts the wait from when it was due. */
function refreshSteadily(workers: Worker[]) {
  const idle = [...workers]
  const due: number[] = []
  let latencies: number[] = []
  let errors = 0

  async function serve(worker: Worker, since: number): Promise<void> {
    try {
      worker.kept.tokens = await refresh(worker.wire, SPA, worker.kept.tokens!.refresh_token)
    } catch (error) {
      if (errors++ === 0) process.stderr.write(`refresh: ${String(error)}\n`)
    }
    latencies.push(performance.now() - since)
    idle.push(worker)
    assign()
  }
  function assign(): void {
    while (idle.length && due.length) void serve(idle.pop()!, due.shift()!)
  }
  const timer = setInterval(() => {
    due.push(performance.now())
    assign()
  }, 1000 / REFRESHES_PER_SECOND)

  return {
    errors: () => errors,
    /** Sorted, since this was last called. */
    collect(): number[] {
      const collected = latencies.sort((a, b) => a - b)
      latencies = []
      return collected
    },
    async stop(): Promise<void> {
      clearInterval(timer)
      while (idle.length < workers.length) await new Promise(setImmediate)
    },
  }
}

/** In words, and whether all is well: the middle ratio under 3, nobody failed, nobody waited for ever. */
export function judgeStorms(storms: Storm[]): { ok: boolean; says: string } {
  const middle = storms.toSorted((a, b) => a.ratio - b.ratio)[storms.length >> 1]!
  const sum = (pick: (storm: Storm) => number) => storms.reduce((total, storm) => total + pick(storm), 0)
  const longest = Math.max(...storms.map((storm) => storm.longest))
  const failed = sum((storm) => storm.failed + storm.refreshErrors)
  const ratios = storms.map(({ ratio }) => ratio)
  return {
    ok: middle.ratio < 3 && failed === 0 && longest < PATIENCE,
    says:
      `${CROWD} simultaneous sign-ins: refresh p95 ${middle.quietP95.toFixed(1)} → ${middle.stormP95.toFixed(1)} ms, ` +
      `${middle.ratio.toFixed(2)} × [${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}] (under 3); ` +
      `of ${storms.length * CROWD}: ${sum((storm) => storm.signedIn)} signed in, ` +
      `${sum((storm) => storm.refused)} refused with 503 and Retry-After, ${failed} failed; ` +
      `longest wait ${(longest / 1000).toFixed(1)} s`,
  }
}

// How many round trips to the database a request may cost. Counted one request at a time; no clock is judged.
import type { Contender } from './contenders.ts'
import { openWorkers } from './measure.ts'
import type { Worker } from './operations.ts'
import { openSignIn, submitPassword } from './people.ts'
import { SPA, WEB } from './relying-parties.ts'
import { authorize, DISCOVERY, exchange, fetchDocument, refresh } from './requests.ts'

type Budget = {
  what: string
  most: number
  /** Makes ready; what it returns is counted. */
  prepare(worker: Worker): Promise<() => Promise<unknown>>
}

export type Spent = { what: string; most: number; trips: number; statements: string[] }

const document = (path: string) => async (worker: Worker) => () => fetchDocument(worker.wire, path)

const BUDGETS: Budget[] = [
  {
    what: 'code exchange',
    most: 3,
    async prepare({ wire, person }) {
      const code = await authorize(wire, WEB, person.cookie)
      return () => exchange(wire, WEB, code)
    },
  },
  {
    what: 'refresh with rotation',
    most: 3,
    async prepare({ wire, person }) {
      const tokens = await exchange(wire, SPA, await authorize(wire, SPA, person.cookie))
      return () => refresh(wire, SPA, tokens.refresh_token)
    },
  },
  {
    what: 'second sign-in, with a session',
    most: 4,
    prepare:
      async ({ wire, person }) =>
      () =>
        authorize(wire, WEB, person.cookie),
  },
  {
    what: 'first sign-in with password, from the app and back with tokens',
    most: 20,
    prepare:
      async ({ issuer, wire, person }) =>
      async () =>
        exchange(wire, WEB, await submitPassword(await openSignIn(issuer, person), person)),
  },
  {
    what: 'static file',
    most: 0,
    async prepare({ issuer, wire }) {
      const { page } = await openSignIn(issuer)
      const asset = /\/assets\/[^"]+\.css/.exec(page.text)?.[0]
      if (!asset) throw new Error('the sign-in page names no style sheet')
      return () => fetchDocument(wire, asset)
    },
  },
  { what: 'discovery', most: 0, prepare: document(DISCOVERY) },
  { what: 'JWKS', most: 0, prepare: document('/jwks') },
]

/** Odd, so that there is a middle: now and then a job of the server's own falls between two requests. */
const TIMES = 11

export async function countTrips(contender: Contender): Promise<Spent[]> {
  const [worker] = openWorkers(contender, 1) as [Worker]
  const spent: Spent[] = []
  for (const { what, most, prepare } of BUDGETS) {
    const runs: string[][] = []
    for (let i = 0; i < TIMES; i++) {
      const run = await prepare(worker)
      await contender.ask('trace')
      await run()
      runs.push(await contender.ask('trace'))
    }
    const statements = runs.sort((a, b) => a.length - b.length)[TIMES >> 1]!
    spent.push({ what, most, trips: statements.length, statements })
  }
  worker.wire.close()
  return spent
}

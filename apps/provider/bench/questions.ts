// What the load asks a contender between rounds, and how a contender answers: over the channel between the processes.

/** Totals since the process began; the load takes differences. */
export type Told = {
  rssBytes: number
  /** Of JavaScript and what hangs on it outside the heap, after a collection. */
  heapBytes: number
  statements: number
  rowsWritten: number
  /** PostgreSQL's processes; empty where there are none, or none on this machine. */
  processes: PostgresProcess[]
}

export type PostgresProcess = { pid: number; for: 'us' | 'everyone' | 'others' }

/** What the report's heading says about the database. */
export type DatabaseFacts = { version: string; synchronousCommit: string; fsync: string }

export type Answers = {
  /** Makes itself as light as it was at the start of every other round. */
  rest(): Promise<void>
  /** Collects garbage first, so that a round pays for its own alone. */
  tell(): Promise<Told>
  /** The statements since this was last asked, by name or text, in order. */
  trace(): Promise<string[]>
  database(): Promise<DatabaseFacts | null>
}

type Question = { id: number; ask: keyof Answers }
export type Reply = { id: number; answer?: unknown; error?: string }

/** For a contender: answers until the load goes away, then ends, for nobody else would end it. */
export function answerQuestions(answers: Answers): void {
  process.on('message', ({ id, ask }: Question) => {
    answers[ask]().then(
      (answer) => process.send?.({ id, answer }),
      (error: unknown) => process.send?.({ id, error: String(error) }),
    )
  })
  process.on('disconnect', () => process.exit(0))
}

/** Needs `--expose-gc`. */
export function measureMemory(): Pick<Told, 'rssBytes' | 'heapBytes'> {
  globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rssBytes: rss, heapBytes: heapUsed + external }
}

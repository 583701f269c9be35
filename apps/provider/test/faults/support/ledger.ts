// What relying parties wrote down of each use of a code or token, and what it proves about the servers.
import type { Tokens } from '../../support/relying-party.ts'

/** `code` and `refresh` spend something, `question` only asks. */
export type Kind = 'code' | 'refresh' | 'question'

export type Answer = { status: number; error?: string; tokens?: Tokens; retryAfter?: string }

/** One request of several that are the same. Times are milliseconds since 1970. */
export type Attempt = {
  port: number
  began: number
  ended: number
  /** Null: none came. */
  answer: Answer | null
  /** No answer came because the request never left. */
  neverSent?: boolean
  /** No answer came although the server had sent one. */
  unheard?: boolean
}

/** What a relying party did with one artefact: the same request until there was an answer to live with. */
export type Use = {
  kind: Kind
  /** The code, the refresh token, or what was asked. */
  artefact: string
  attempts: Attempt[]
  /** Another use of the same code is under way on purpose: one of the two is refused. */
  contested?: boolean
}

export type Ledger = {
  uses: Use[]
  begin(kind: Kind, artefact: string, contested?: boolean): Use
}

export function openLedger(): Ledger {
  const uses: Use[] = []
  return {
    uses,
    begin(kind, artefact, contested = false) {
      const use: Use = { kind, artefact, attempts: [], contested }
      uses.push(use)
      return use
    },
  }
}

export type Verdict = {
  answered: Record<Kind, number>
  /** Requests that were sent and never answered. */
  lostAnswers: Record<Kind, number>
  /** Codes refused after an answer to them was lost: RFC 6749, section 4.1.2 has it so. */
  codesSpentUnseen: Use[]
  /** A code that was redeemed twice, a refresh token with two successors. */
  doubleSpends: Use[]
  /** Refreshes refused although no earlier answer to them had come. */
  lostFamilies: Use[]
  /** Any other answer that no relying party has earned. */
  undeserved: Use[]
  /** Answers of 5xx. */
  failures: Attempt[]
  /** Those of them that do not say when to come back. */
  curt: Attempt[]
  unanswered: Use[]
}

export function judge(uses: Use[]): Verdict {
  const refused = uses.filter((use) => (lastAnswer(use)?.status ?? 0) >= 400 && !isFailure(lastAnswer(use)))
  const attempts = uses.flatMap((use) => use.attempts)
  const failures = attempts.filter(({ answer }) => isFailure(answer))
  const codesSpentUnseen = refused.filter((use) => use.kind === 'code' && wasLost(use) && isInvalidGrant(use))
  const lostFamilies = refused.filter((use) => use.kind === 'refresh')
  const excused = new Set([...codesSpentUnseen, ...lostFamilies])
  return {
    answered: count(uses.filter((use) => lastAnswer(use)?.status === 200)),
    lostAnswers: count(uses.filter(({ attempts }) => attempts.some(wasSentInVain))),
    codesSpentUnseen,
    doubleSpends: findDoubleSpends(uses),
    lostFamilies,
    undeserved: refused.filter((use) => !excused.has(use) && !(use.contested && isInvalidGrant(use))),
    failures,
    curt: failures.filter(({ answer }) => answer?.status !== 503 || !Number(answer.retryAfter)),
    unanswered: uses.filter((use) => !lastAnswer(use) || isFailure(lastAnswer(use))),
  }
}

/** Milliseconds that `share` of the answers came within. */
export function quantile(attempts: Attempt[], share: number): number {
  const waits = attempts.map(({ began, ended }) => ended - began).sort((a, b) => a - b)
  return waits[Math.ceil(waits.length * share) - 1] ?? 0
}

/** One line for people. */
export function describeVerdict(uses: Use[]): string {
  const { answered, lostAnswers, codesSpentUnseen, failures } = judge(uses)
  const all = uses.flatMap((use) => use.attempts)
  const attempts = all.filter(({ answer }) => answer)
  const unheard = all.filter((attempt) => attempt.unheard)
  const times = [0.5, 0.99, 1].map((share) => Math.round(quantile(attempts, share)))
  return [
    `${answered.code} codes redeemed, ${answered.refresh} refreshes, ${answered.question} questions answered`,
    `answers lost: ${lostAnswers.code} to codes, ${lostAnswers.refresh} to refreshes, ${lostAnswers.question} to questions` +
      `, ${unheard.length} of them on the way back`,
    `${codesSpentUnseen.length} codes spent by an answer nobody got`,
    `${failures.length} answers of 5xx`,
    `p50 ${times[0]} ms, p99 ${times[1]} ms, slowest ${times[2]} ms`,
  ].join('; ')
}

const isFailure = (answer: Answer | null | undefined) => (answer?.status ?? 0) >= 500
const lastAnswer = ({ attempts }: Use) => attempts.at(-1)?.answer ?? null
const isInvalidGrant = (use: Use) => lastAnswer(use)?.error === 'invalid_grant'
const wasSentInVain = ({ answer, neverSent }: Attempt) => !answer && !neverSent

/** An earlier attempt may have been acted on, for all the relying party knows. */
const wasLost = ({ attempts }: Use) =>
  attempts.slice(0, -1).some((attempt) => wasSentInVain(attempt) || isFailure(attempt.answer))

function findDoubleSpends(uses: Use[]): Use[] {
  const firsts = new Map<string, string>()
  return uses.filter((use) => {
    if (use.kind === 'question') return false
    const given = use.attempts.flatMap(({ answer }) => answer?.tokens ?? [])
    return given.some(({ access_token: accessToken, refresh_token: refreshToken }) => {
      // Of a code there is one answer; of a refresh token there may be several, with one successor.
      const result = use.kind === 'code' ? accessToken : refreshToken
      const key = `${use.kind} ${use.artefact}`
      const first = firsts.get(key) ?? result
      firsts.set(key, first)
      return first !== result
    })
  })
}

function count(uses: Use[]): Record<Kind, number> {
  const total = { code: 0, refresh: 0, question: 0 }
  for (const { kind } of uses) total[kind]++
  return total
}

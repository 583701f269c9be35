// The ledger's own judgement: each fault it is there to find, it finds.
import { expect, test } from 'vitest'
import type { Tokens } from '../../support/relying-party.ts'
import { type Answer, judge, type Kind, openLedger, type Use } from './ledger.ts'

const tokens = (name: string) => ({ access_token: `a ${name}`, refresh_token: `r ${name}` }) as Tokens
const given = (name: string): Answer => ({ status: 200, tokens: tokens(name) })
const refused: Answer = { status: 400, error: 'invalid_grant' }
const down: Answer = { status: 503, retryAfter: '5' }

function use(kind: Kind, artefact: string, ...answers: (Answer | null)[]): Use {
  const attempts = answers.map((answer) => ({ port: 1, began: 0, ended: 1, answer }))
  return { ...openLedger().begin(kind, artefact), attempts }
}

/** What is found, without what is only counted. */
function findings(...uses: Use[]) {
  const { doubleSpends, lostFamilies, undeserved, codesSpentUnseen, curt, unanswered } = judge(uses)
  const lists = { doubleSpends, lostFamilies, undeserved, codesSpentUnseen, curt, unanswered }
  return Object.entries(lists).flatMap(([name, list]) => (list.length ? [name] : []))
}

test('what went well is no finding', () => {
  expect(findings(use('code', 'c', given('1')), use('refresh', 'r', null, given('2')))).toEqual([])
})

test('a code that two requests were given tokens for is a double spend', () => {
  expect(findings(use('code', 'c', given('1')), use('code', 'c', given('2')))).toEqual(['doubleSpends'])
})

test('a refresh token with two successors is a double spend; the same successor twice is not', () => {
  expect(findings(use('refresh', 'r', given('1')), use('refresh', 'r', given('2')))).toEqual(['doubleSpends'])
  expect(findings(use('refresh', 'r', given('1')), use('refresh', 'r', given('1')))).toEqual([])
})

test('a refresh refused after its answer was lost is a lost family, and so is one refused at once', () => {
  expect(findings(use('refresh', 'r', null, refused))).toEqual(['lostFamilies'])
  expect(findings(use('refresh', 'r', refused))).toEqual(['lostFamilies'])
})

test('a code may be refused after its answer was lost or was a failure, and only then', () => {
  expect(findings(use('code', 'c', null, refused))).toEqual(['codesSpentUnseen'])
  expect(findings(use('code', 'c', down, refused))).toEqual(['codesSpentUnseen'])
  expect(findings(use('code', 'c', refused))).toEqual(['undeserved'])
  const neverSent = use('code', 'c', null, refused)
  neverSent.attempts[0]!.neverSent = true
  expect(findings(neverSent)).toEqual(['undeserved'])
  expect(findings(use('code', 'c', null, { status: 401, error: 'invalid_client' }))).toEqual(['undeserved'])
})

test('a question answered with an OAuth error is undeserved', () => {
  expect(findings(use('question', 'userinfo', down, { status: 401, error: 'invalid_token' }))).toEqual([
    'undeserved',
  ])
})

test('a failure that does not say when to come back is curt, and one that was never made good is unanswered', () => {
  expect(findings(use('question', 'userinfo', { status: 500 }, { status: 200 }))).toEqual(['curt'])
  expect(findings(use('refresh', 'r', down, null))).toEqual(['unanswered'])
})

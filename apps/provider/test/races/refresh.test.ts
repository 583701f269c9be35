// RFC 9700, section 4.14.2: a refresh token is rotated once. The same request, repeated in time, is answered alike;
// anything else is a replay and ends the family.
import { generateKeyPair } from 'jose'
import type { PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digest } from '../../src/lib/digest.ts'
import { artifact, meet } from './support/barrier.ts'
import { crowd, judge, meetAt, PARTIES } from './support/crowd.ts'
import { prove } from './support/dpop.ts'
import { canRace, prepareRaces, type RaceCourse, REFRESH_WINDOW } from './support/race.ts'
import {
  type Answer,
  type Fields,
  isAlive,
  mint,
  post,
  redeem,
  refresh,
  signIn,
  type Tokens,
} from './support/requests.ts'

const ROUNDS = 100
const NOTHING: Fields = {}
const END_WHO_WAITS = `select pg_terminate_backend(pid, 2000) from pg_stat_activity
  where datname = current_database() and wait_event_type = 'Lock'`

describe.skipIf(!canRace)('two processes', () => {
  let course: RaceCourse
  let here: string
  let there: string
  let alone: [string, string]

  beforeAll(async () => {
    course = await prepareRaces()
    ;[here, there] = await course.startPair()
    alone = await course.startPair('alone')
  })
  afterAll(() => course.clear())

  const successorOf = ({ body }: Answer) => body['refresh_token'] as string

  const refreshes = (origins: [string, string], token: string, fieldsOf = (_: number): Fields => NOTHING) =>
    crowd(origins, (origin, index) => refresh(origin, 'spa', token, fieldsOf(index)))

  /** Twenty refreshes with one token meet in PostgreSQL, or as many of them as come there at once. */
  const race = (
    origins: [string, string],
    token: string,
    fieldsOf?: (index: number) => Fields,
    waiting = PARTIES,
  ) => meetAt(course.pool, ['RefreshToken', token, waiting], () => refreshes(origins, token, fieldsOf))

  const letTimePass = (milliseconds: number) =>
    course.pool.query(`update artifacts set consumed_at = consumed_at - $1 * interval '1 ms'`, [milliseconds])

  async function expectDeadFamily(tokens: Tokens[]) {
    for (const { access_token: accessToken, refresh_token: refreshToken } of tokens) {
      expect(await isAlive(there, accessToken)).toBe(false)
      expect(await refresh(here, 'spa', refreshToken)).toMatchObject({
        status: 400,
        body: { error: 'invalid_grant' },
      })
    }
  }

  /** The one successor that all of them got, and the latecomer too. */
  async function oneSuccessor(origin: string, token: string, answers: Answer[]): Promise<string> {
    const latecomer = await refresh(origin, 'spa', token)
    expect(answers.map(({ status }) => status)).toEqual(Array(PARTIES).fill(200))
    const successors = new Set([...answers, latecomer].map(successorOf))
    expect(successors.size).toBe(1)
    expect(successors).not.toContain(token)
    return successorOf(latecomer)
  }

  test('a token used twenty times at once has one successor, and all twenty get it, in each of a hundred rounds', async () => {
    let token = (await signIn(here, 'spa')).refresh_token
    for (let round = 0; round < ROUNDS; round++)
      token = await oneSuccessor(there, token, await race(alone, token))
  }, 60_000)

  test('so it has where commits travel together, whether requests were made to meet or met by chance', async () => {
    let token = (await signIn(here, 'spa')).refresh_token
    for (let round = 0; round < ROUNDS / 2; round++) {
      token = await oneSuccessor(there, token, await Promise.all(refreshes([here, there], token)))
      token = await oneSuccessor(there, token, await race([here, there], token, undefined, 2))
    }
  }, 60_000)

  test('the same race on a store that checks without claiming, the window switched off, yields twenty successors', async () => {
    const naive = await course.startPair('naive', 0)
    const { refresh_token: token } = await signIn(naive[0], 'spa')
    const answers = await race(naive, token)
    expect(new Set(answers.map(successorOf)).size).toBe(PARTIES)
  })

  test('with the window switched off one of twenty succeeds, and the family dies with the nineteen replays', async () => {
    const strict = await course.startPair('alone', 0)
    const first = await signIn(strict[0], 'spa')
    const { winners, refusals } = judge(await race(strict, first.refresh_token))
    expect(winners).toHaveLength(1)
    expect(refusals).toEqual(new Set(['400 invalid_grant']))
    await expectDeadFamily([first, winners[0]?.body as Tokens])
  })

  test('a replay after the window kills the family, successor and access tokens included', async () => {
    const first = await signIn(here, 'spa')
    const second = (await refresh(here, 'spa', first.refresh_token)).body as Tokens
    await letTimePass(REFRESH_WINDOW / 2)
    expect(successorOf(await refresh(there, 'spa', first.refresh_token))).toBe(second.refresh_token)
    await letTimePass(REFRESH_WINDOW / 2)
    const replay = await refresh(there, 'spa', first.refresh_token)
    expect(replay).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    await expectDeadFamily([first, second])
  })

  test('a replay is one even when the token would have expired meanwhile', async () => {
    const first = await signIn(here, 'spa')
    const second = (await refresh(here, 'spa', first.refresh_token)).body as Tokens
    await course.age('RefreshToken', first.refresh_token, 30 * 86400)
    expect(await refresh(there, 'spa', first.refresh_token)).toMatchObject({ status: 400 })
    await expectDeadFamily([first, second])
  })

  test('the window is counted from the first use; repeating does not keep it open', async () => {
    const first = await signIn(here, 'spa')
    await refresh(here, 'spa', first.refresh_token)
    for (let step = 0; step < 3; step++) {
      await letTimePass(REFRESH_WINDOW / 3)
      const { status } = await refresh(there, 'spa', first.refresh_token)
      expect(status).toBe(step < 2 ? 200 : 400)
    }
  })

  test('asking for another scope inside the window is a replay', async () => {
    const first = await signIn(here, 'spa')
    const second = (await refresh(here, 'spa', first.refresh_token)).body as Tokens
    expect(await refresh(there, 'spa', first.refresh_token, { scope: 'openid' })).toMatchObject({
      status: 400,
    })
    await expectDeadFamily([first, second])
  })

  test('twenty at once that do not all ask for the same scope kill the family', async () => {
    const { refresh_token: token } = await signIn(here, 'spa')
    const answers = await race(alone, token, (index) => (index % 3 ? NOTHING : { scope: 'openid' }))
    const { winners, refusals } = judge(answers)
    expect(new Set(winners.map(successorOf)).size).toBeLessThanOrEqual(1)
    expect(refusals).toEqual(new Set(['400 invalid_grant']))
    await expectDeadFamily(winners.map(({ body }) => body as Tokens))
  })

  test('another client is refused and harms nobody', async () => {
    const { refresh_token: token } = await signIn(here, 'spa')
    const second = await refresh(here, 'spa', token)
    expect((await refresh(there, 'web', token)).body['error']).toBe('invalid_grant')
    expect(successorOf(await refresh(there, 'spa', token))).toBe(successorOf(second))
  })

  test('a repeated request proves possession of the same key; with another key it is a replay', async () => {
    const [own, foreign] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')])
    const first = await signIn(here, 'web')
    const refreshWith = async (origin: string, key: typeof own) =>
      refresh(origin, 'web', first.refresh_token, {}, { dpop: await prove(key, `${origin}/token`) })
    const second = await refreshWith(here, own)
    expect(successorOf(await refreshWith(there, own))).toBe(successorOf(second))
    expect((await refreshWith(there, foreign)).body['error']).toBe('invalid_grant')
    expect((await refresh(here, 'web', successorOf(second))).body['error']).toBe('invalid_grant')
  })

  test('inside the window a used token is dead to everybody but the one who repeats the refresh', async () => {
    const { refresh_token: token } = await signIn(here, 'web')
    await refresh(here, 'web', token)
    expect((await post(`${there}/token/introspection`, 'web', { token })).body).toEqual({ active: false })
  })

  test('a successor that was used meanwhile stays used when it is given out again', async () => {
    const first = await signIn(here, 'spa')
    const second = await refresh(here, 'spa', first.refresh_token)
    const third = await refresh(here, 'spa', successorOf(second))
    expect(successorOf(await refresh(there, 'spa', first.refresh_token))).toBe(successorOf(second))
    await letTimePass(REFRESH_WINDOW)
    expect((await refresh(there, 'spa', successorOf(second))).body['error']).toBe('invalid_grant')
    expect((await refresh(there, 'spa', successorOf(third))).body['error']).toBe('invalid_grant')
  })

  test.each([
    ['and the database learns it too late', false],
    ['and its connection breaks first', true],
  ])('a process killed while its commit waits, %s, costs nobody the family', async (_, isBroken) => {
    const dying = await course.start()
    const { refresh_token: token } = await signIn(here, 'spa')
    const meanwhile = async (holder: PoolClient) => {
      if (isBroken) await holder.query(END_WHO_WAITS)
      await dying.stop()
    }
    const [answer] = await meet(
      course.pool,
      { at: artifact('RefreshToken', token), waiting: 1, meanwhile },
      () => [refresh(dying.origin, 'spa', token).catch(() => undefined)],
    )
    expect(answer?.status).not.toBe(200)

    await course.quiet()
    const settled = await rowOf(token)
    expect(settled.consumed_at === null).toBe(isBroken)
    expect(await rowsNamed(settled.successor)).toHaveLength(isBroken ? 0 : 1)

    const [one, other] = [await refresh(here, 'spa', token), await refresh(there, 'spa', token)]
    expect([one.status, other.status]).toEqual([200, 200])
    expect(successorOf(other)).toBe(successorOf(one))
    expect(await rowOf(token)).toMatchObject({ successor: digest(successorOf(one)) })
    expect((await refresh(here, 'spa', successorOf(one))).status).toBe(200)
  })

  test('what is issued in the moment the grant is revoked is born dead', async () => {
    const first = await signIn(here, 'spa')
    const { grant_id: grantId } = await rowOf(first.refresh_token)
    const meanwhile = () =>
      course.pool.query(`delete from artifacts where kind = 'Grant' and id = $1`, [grantId])
    const [second] = await meet(
      course.pool,
      { at: artifact('RefreshToken', first.refresh_token), waiting: 1, meanwhile },
      () => [refresh(here, 'spa', first.refresh_token)],
    )
    expect(second?.status).toBe(200)
    await expectDeadFamily([second?.body as Tokens, first])
  })

  test('a refresh overtaken by a revocation is refused, and leaves nothing behind', async () => {
    const { refresh_token: token } = await signIn(here, 'spa')
    const { grant_id: grantId } = await rowOf(token)
    const meanwhile = (holder: PoolClient) =>
      holder.query('delete from artifacts where grant_id = $1', [grantId])
    const [answer] = await meet(
      course.pool,
      { at: artifact('RefreshToken', token), waiting: 1, meanwhile },
      () => [refresh(here, 'spa', token)],
    )
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    const { rowCount } = await course.pool.query('select from artifacts where grant_id = $1', [grantId])
    expect(rowCount).toBe(0)
  })

  test('revoking while a refresh is under way leaves no token alive, whichever comes first', async () => {
    for (let round = 0; round < 30; round++) {
      const first = await signIn(here, 'spa')
      const held = { at: artifact('RefreshToken', first.refresh_token), waiting: 2 }
      const ask = [
        () => refresh(here, 'spa', first.refresh_token),
        () => post(`${there}/token/revocation`, 'spa', { token: first.access_token }),
      ]
      const inOrder = round % 2 ? ask : ask.toReversed()
      const answers = await meet(course.pool, held, () => inOrder.map((each) => each()))
      expect(answers.filter(({ status }) => status >= 500)).toEqual([])
      const second = answers.find((answer) => answer.body['refresh_token'])?.body as Tokens | undefined
      await expectDeadFamily(second ? [first, second] : [first])
    }
  })

  test('a token that does not rotate may be used by many at once, and stays what it is', async () => {
    const { refresh_token: token } = await signIn(here, 'steady')
    const answers = await Promise.all(crowd([here, there], (origin) => refresh(origin, 'steady', token)))
    expect(new Set(answers.map(successorOf))).toEqual(new Set([token]))
    expect(await rowOf(token)).toMatchObject({ consumed_at: null, successor: null })
  })

  test('whoever steals the table holds no token: none is in it, in any spelling', async () => {
    const code = await mint(here, 'spa')
    const first = (await redeem(here, 'spa', code)).body as Tokens
    const second = (await refresh(here, 'spa', first.refresh_token)).body as Tokens
    const secrets = [first, second].flatMap((tokens) => [tokens.access_token, tokens.refresh_token])
    const { rows } = await course.pool.query<{ line: string }>(
      'select artifacts::text as line from artifacts',
    )
    const table = rows.map(({ line }) => line).join('\n')
    expect(table).toContain(digest(second.refresh_token))
    for (const secret of [code, ...secrets]) {
      expect(table).not.toContain(secret)
      expect(table).not.toContain(Buffer.from(secret).toString('hex'))
      expect(table).not.toContain(Buffer.from(secret, 'base64url').toString('hex'))
      expect(table).not.toContain(Buffer.from(secret).toString('base64url'))
    }
  })

  const rowsNamed = async (id: string) =>
    (await course.pool.query('select * from artifacts where id = $1', [id])).rows

  const rowOf = async (token: string) => (await rowsNamed(digest(token)))[0]
})

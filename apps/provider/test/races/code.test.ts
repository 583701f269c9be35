// RFC 6749, section 4.1.2: a code is redeemed once, and whoever tries again takes everything with it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digest } from '../../src/lib/digest.ts'
import { crowd, judge, meetAt, PARTIES } from './support/crowd.ts'
import { canRace, prepareRaces, type RaceCourse } from './support/race.ts'
import { type Answer, isAlive, mint, redeem, refresh, signIn, type Tokens } from './support/requests.ts'

const ROUNDS = 100

describe.skipIf(!canRace)('two processes', () => {
  type Origins = [string, string]
  let course: RaceCourse
  let pair: Origins
  beforeAll(async () => {
    course = await prepareRaces()
    pair = await course.startPair()
  })
  afterAll(() => course.clear())

  const redemptions = (origins: Origins, code: string, client = 'spa') =>
    crowd(origins, (origin) => redeem(origin, client, code))

  /** Twenty redemptions of one new code meet in PostgreSQL, or as many of them as come there at once. */
  async function race(origins: Origins, waiting: number) {
    const code = await mint(origins[0], 'spa')
    return meetAt(course.pool, ['AuthorizationCode', code, waiting], () => redemptions(origins, code))
  }

  function expectOneWinner(answers: Answer[]): Tokens {
    const { winners, refusals } = judge(answers)
    expect(winners).toHaveLength(1)
    expect(refusals).toEqual(new Set(['400 invalid_grant']))
    return winners[0]?.body as Tokens
  }

  async function expectDead(origin: string, tokens: Tokens) {
    expect(await isAlive(origin, tokens.access_token)).toBe(false)
    expect((await refresh(origin, 'spa', tokens.refresh_token)).body['error']).toBe('invalid_grant')
  }

  test('a code redeemed twenty times at once, at two processes, succeeds once in each of a hundred rounds', async () => {
    const origins = await course.startPair('alone')
    for (let round = 0; round < ROUNDS; round++) {
      const tokens = expectOneWinner(await race(origins, PARTIES))
      if (round % 10 === 0) await expectDead(origins[1], tokens)
    }
  }, 60_000)

  test('so it does where commits travel together, whether requests were made to meet or met by chance', async () => {
    for (let round = 0; round < ROUNDS / 2; round++) {
      const code = await mint(pair[0], 'spa')
      expectOneWinner(await Promise.all(redemptions(pair, code)))
      const tokens = expectOneWinner(await race(pair, 2))
      if (round % 10 === 0) await expectDead(pair[1], tokens)
    }
  }, 60_000)

  test('the same race is lost on a store that checks without claiming: every redemption succeeds', async () => {
    const answers = await race(await course.startPair('naive'), PARTIES)
    expect(answers.map(({ status }) => status)).toEqual(Array(PARTIES).fill(200))
  })

  test.each([
    ['at once', 0],
    ['when the code’s minute is over', 61],
  ])('a code redeemed a second time, %s, kills the tokens of the first', async (_, seconds) => {
    const [here, there] = pair
    const code = await mint(here, 'web')
    const { access_token: accessToken } = (await redeem(here, 'web', code)).body as Tokens
    expect(await isAlive(there, accessToken)).toBe(true)
    await course.age('AuthorizationCode', code, seconds)
    expect((await redeem(there, 'web', code)).body).toMatchObject({ error: 'invalid_grant' })
    expect(await isAlive(there, accessToken)).toBe(false)
    expect((await signIn(there, 'web')).access_token).toBeTypeOf('string')
  })

  test('a code that comes too late the first time is refused, and its grant stays', async () => {
    const [here] = pair
    const code = await mint(here, 'web')
    await course.age('AuthorizationCode', code, 61)
    expect((await redeem(here, 'web', code)).body).toMatchObject({ error: 'invalid_grant' })
    const { rowCount } = await course.pool.query(
      `select from artifacts as grants join artifacts as codes on codes.grant_id = grants.id
        where grants.kind = 'Grant' and codes.id = $1`,
      [digest(code)],
    )
    expect(rowCount).toBe(1)
  })
})

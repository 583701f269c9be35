// RFC 6749, section 4.1.2: a code is redeemed once, and whoever tries again takes everything with it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { artifact, meet } from './support/barrier.ts'
import { canRace, prepareRaces, type RaceCourse } from './support/race.ts'
import { isAlive, mint, redeem, refresh, signIn, type Tokens } from './support/requests.ts'

const PARTIES = 20
const ROUNDS = 100

describe.skipIf(!canRace)('two processes', () => {
  let course: RaceCourse
  beforeAll(async () => {
    course = await prepareRaces()
  })
  afterAll(() => course.clear())

  /** Twenty redemptions of one new code, half of them at each process, all past the check before any is past the claim. */
  async function race(origins: [string, string], client = 'spa') {
    const code = await mint(origins[0], client)
    return meet(course.pool, { at: artifact('AuthorizationCode', code), waiting: PARTIES }, () =>
      Array.from({ length: PARTIES }, (_, index) => redeem(origins[index % 2 ? 1 : 0], client, code)),
    )
  }

  test('a code redeemed twenty times at once, at two processes, succeeds once in each of a hundred rounds', async () => {
    const origins = await course.startPair()
    for (let round = 0; round < ROUNDS; round++) {
      const answers = await race(origins)
      const [winner, ...others] = answers.filter(({ status }) => status === 200)
      expect(others).toEqual([])
      const losers = answers.filter((answer) => answer !== winner)
      expect(new Set(losers.map(({ status, body }) => `${status} ${body['error']}`))).toEqual(
        new Set(['400 invalid_grant']),
      )
      if (round % 10 === 0) {
        const tokens = winner?.body as Tokens
        expect(await isAlive(origins[1], tokens.access_token)).toBe(false)
        expect((await refresh(origins[1], 'spa', tokens.refresh_token)).body['error']).toBe('invalid_grant')
      }
    }
  }, 60_000)

  test('the same race is lost on a store that checks without claiming: every redemption succeeds', async () => {
    const origins = await course.startPair('naive')
    const answers = await race(origins)
    expect(answers.map(({ status }) => status)).toEqual(Array(PARTIES).fill(200))
  })

  test('a code redeemed a second time kills the tokens of the first', async () => {
    const [here, there] = await course.startPair()
    const code = await mint(here, 'web')
    const { access_token: accessToken } = (await redeem(here, 'web', code)).body as Tokens
    expect(await isAlive(there, accessToken)).toBe(true)
    expect((await redeem(there, 'web', code)).body).toMatchObject({ error: 'invalid_grant' })
    expect(await isAlive(there, accessToken)).toBe(false)
    expect((await signIn(there, 'web')).access_token).toBeTypeOf('string')
  })
})

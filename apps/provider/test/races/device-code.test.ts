// RFC 8628, section 3.5, and RFC 6749, section 4.1.2: what a person approved for a device is redeemed once.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { crowd, judge, meetAt, PARTIES } from './support/crowd.ts'
import { canRace, prepareRaces, type RaceCourse } from './support/race.ts'
import {
  type Answer,
  approveDevice,
  isAlive,
  redeemDevice,
  refresh,
  type Tokens,
} from './support/requests.ts'

const ROUNDS = 20

describe.skipIf(!canRace)('two processes', () => {
  let course: RaceCourse
  beforeAll(async () => {
    course = await prepareRaces()
  })
  afterAll(() => course.clear())

  const redemptions = (origins: [string, string], code: string) =>
    crowd(origins, (origin) => redeemDevice(origin, code))

  async function race(origins: [string, string], waiting: number) {
    const code = await approveDevice(origins[0])
    return meetAt(course.pool, ['DeviceCode', code, waiting], () => redemptions(origins, code))
  }

  async function expectOneWinner(origin: string, answers: Answer[]) {
    const { winners, refusals } = judge(answers)
    expect(winners).toHaveLength(1)
    expect(refusals).toEqual(new Set(['400 invalid_grant']))
    const tokens = winners[0]?.body as Tokens
    expect(await isAlive(origin, tokens.access_token)).toBe(false)
    expect((await refresh(origin, 'tv', tokens.refresh_token)).body['error']).toBe('invalid_grant')
  }

  test('a device code redeemed twenty times at once succeeds once in each round, and the replays end what it gave', async () => {
    const origins = await course.startPair('alone')
    for (let round = 0; round < ROUNDS; round++)
      await expectOneWinner(origins[1], await race(origins, PARTIES))
  })

  test('so it does where commits travel together, whether requests were made to meet or met by chance', async () => {
    const origins = await course.startPair()
    for (let round = 0; round < ROUNDS; round++) {
      const code = await approveDevice(origins[0])
      await expectOneWinner(origins[1], await Promise.all(redemptions(origins, code)))
      await expectOneWinner(origins[1], await race(origins, 2))
    }
  })

  test('the same race is lost on a store that checks without claiming', async () => {
    const answers = await race(await course.startPair('naive'), PARTIES)
    expect(answers.map(({ status }) => status)).toEqual(Array(PARTIES).fill(200))
  })
})

// RFC 9126, section 4: a pushed request is used once.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { crowd, meetAt, PARTIES } from './support/crowd.ts'
import { canRace, prepareRaces, type RaceCourse } from './support/race.ts'
import { authorize, enter, push, redeem } from './support/requests.ts'

const ROUNDS = 20
const URN = 'urn:ietf:params:oauth:request_uri:'

/** Who comes a moment too late is sent back to the app by the engine, who loses the race is told here. */
const REFUSALS = [
  { status: 303, code: null, error: 'invalid_request_uri' },
  { status: 400, code: null, error: null },
]

describe.skipIf(!canRace)('two processes', () => {
  let course: RaceCourse
  beforeAll(async () => {
    course = await prepareRaces()
  })
  afterAll(() => course.clear())

  const visits = (origins: [string, string], uri: string, cookie: string) =>
    crowd(origins, (origin) => authorize(origin, 'web', uri, cookie))

  async function race(origins: [string, string], cookie: string, waiting: number) {
    const uri = await push(origins[0], 'web')
    const id = uri.slice(URN.length)
    return meetAt(course.pool, ['PushedAuthorizationRequest', id, waiting], () =>
      visits(origins, uri, cookie),
    )
  }

  type Visits = Awaited<ReturnType<typeof authorize>>[]

  async function expectOneCode(origin: string, answers: Visits) {
    const [winner, ...others] = answers.filter(({ code }) => code)
    expect(others).toEqual([])
    const refusals = answers.filter((answer) => answer !== winner)
    for (const refusal of refusals) expect(REFUSALS).toContainEqual(refusal)
    expect(refusals).toHaveLength(PARTIES - 1)
    expect((await redeem(origin, 'web', winner!.code!)).status).toBe(200)
  }

  test('twenty browsers at once with one pushed request get one code, and it is good, in each round', async () => {
    const origins = await course.startPair('alone')
    const cookie = await enter(origins[0], 'web')
    for (let round = 0; round < ROUNDS; round++)
      await expectOneCode(origins[1], await race(origins, cookie, PARTIES))
  })

  test('so they do where commits travel together, whether they were made to meet or met by chance', async () => {
    const origins = await course.startPair()
    const cookie = await enter(origins[0], 'web')
    for (let round = 0; round < ROUNDS; round++) {
      const uri = await push(origins[0], 'web')
      await expectOneCode(origins[1], await Promise.all(visits(origins, uri, cookie)))
      await expectOneCode(origins[1], await race(origins, cookie, 2))
    }
  })

  test('the same race is lost on a store that checks without claiming: each gets a code', async () => {
    const origins = await course.startPair('naive')
    const answers = await race(origins, await enter(origins[0], 'web'), PARTIES)
    expect(new Set(answers.map(({ code }) => code)).size).toBe(PARTIES)
  })
})

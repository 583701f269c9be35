// RFC 7523, section 3, and RFC 9449, section 11.1: an assertion and a proof of possession are good for one request.
import { randomUUID } from 'node:crypto'
import { generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { meet, table } from './support/barrier.ts'
import { CLIENTS, ISSUER } from './support/clients.ts'
import { prove } from './support/dpop.ts'
import { canRace, prepareRaces, type RaceCourse } from './support/race.ts'
import { post, send } from './support/requests.ts'

const PARTIES = 20

describe.skipIf(!canRace)('two processes', () => {
  let course: RaceCourse
  beforeAll(async () => {
    course = await prepareRaces()
  })
  afterAll(() => course.clear())

  const race = (origins: [string, string], assertion: string) =>
    meet(course.pool, { at: table, waiting: PARTIES }, () =>
      Array.from({ length: PARTIES }, (_, index) => authenticate(origins[index % 2 ? 1 : 0], assertion)),
    )

  test('an assertion presented twenty times at once lets its client in once', async () => {
    const origins = await course.startPair()
    for (let round = 0; round < 10; round++) {
      const answers = await race(origins, await assert())
      const refusals = answers.filter(({ status }) => status !== 200)
      expect(refusals).toHaveLength(PARTIES - 1)
      expect(new Set(refusals.map(({ status, body }) => `${status} ${body['error']}`))).toEqual(
        new Set(['401 invalid_client']),
      )
    }
  })

  test('the same race is lost on a store that looks without claiming', async () => {
    const answers = await race(await course.startPair('naive'), await assert())
    expect(answers.map(({ status }) => status)).toEqual(Array(PARTIES).fill(200))
  })

  test('an assertion that never expires is no error, and is used up all the same', async () => {
    const { origin } = await course.start()
    const assertion = await assert(Number.MAX_VALUE)
    expect((await authenticate(origin, assertion)).status).toBe(200)
    expect(await authenticate(origin, assertion)).toMatchObject({
      status: 401,
      body: { error: 'invalid_client' },
    })
  })

  test('a proof of possession presented ten times at once is accepted once', async () => {
    const { origin } = await course.start()
    const proof = await prove(await generateKeyPair('ES256'), `${origin}/token`)
    const answers = await meet(course.pool, { at: table, waiting: 10 }, () =>
      Array.from({ length: 10 }, () =>
        post(`${origin}/token`, 'web', { grant_type: 'client_credentials' }, { dpop: proof }),
      ),
    )
    const refusals = answers.filter(({ status }) => status !== 200)
    expect(refusals.map(({ status, body }) => `${status} ${body['error']}`)).toEqual(
      Array(9).fill('400 invalid_grant'),
    )
  })
})

const machine = CLIENTS.find(({ client_id: id }) => id === 'machine')!

/** An assertion with which `machine` authenticates (OpenID Connect Core, section 9: client_secret_jwt). */
const assert = (exp = Math.floor(Date.now() / 1000) + 60) =>
  new SignJWT({ iss: 'machine', sub: 'machine', aud: ISSUER, jti: randomUUID(), exp })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(machine.client_secret))

const authenticate = (origin: string, assertion: string) =>
  send(`${origin}/token`, {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  })

// Letters: written with the change that causes them, delivered by whoever is there.
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createUnitOfWork } from '../src/db/unit-of-work.ts'
import { MINUTE, systemClock } from '../src/lib/clock.ts'
import { createSealer } from '../src/lib/seal.ts'
import type { Letter } from '../src/mail/letter.ts'
import { createOutbox } from '../src/mail/outbox.store.ts'
import { codeIn, lettersTo, linkIn, waitForLetter } from './support/mailbox.ts'
import { startServer, type TestServer } from './support/server.ts'

const secretKey = randomBytes(32)
const occasion = { at: new Date(), ip: '127.0.0.1', userAgent: 'curl/8' }
const letterTo = (to: string, code = '123456'): Letter => ({
  to,
  userId: null,
  content: {
    kind: 'code',
    code,
    link: 'https://id.example.com/verify#x',
    validMs: 10 * MINUTE,
    clientName: null,
  },
  occasion,
  uselessAfter: 10 * MINUTE,
})

let server: TestServer
beforeEach(async () => {
  server = await startServer({ secretKey })
})
afterEach(() => server.close())

function officeOf({ database }: TestServer) {
  const work = createUnitOfWork(database)
  return { work, outbox: createOutbox(work, { sealer: createSealer([secretKey]), now: systemClock }) }
}

test('a letter leaves if its unit is committed, and only then', async () => {
  const { work, outbox } = officeOf(server)
  await work.run(
    () => outbox.post(letterTo('withheld@example.com')),
    () => false,
  )
  await expect(
    work.transaction(async () => {
      await outbox.post(letterTo('withheld@example.com'))
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  await work.run(() => outbox.post(letterTo('Ada@example.com', '654321')))
  const letter = await waitForLetter(server, 'ada@EXAMPLE.com')
  expect(codeIn(letter)).toBe('654321')
  expect(linkIn(letter)).toBe('https://id.example.com/verify#x')
  expect(await lettersTo(server, 'withheld@example.com')).toEqual([])
})

// All of the mail without a server around it: who posts, and who delivers, in a hurry.
import path from 'node:path'
import { readConfig } from '../../src/config.ts'
import type { Database } from '../../src/db/database.ts'
import { createUnitOfWork } from '../../src/db/unit-of-work.ts'
import { createAssets } from '../../src/http/assets.ts'
import { createViews } from '../../src/http/view.ts'
import { DELIVERY, deliverLetters } from '../../src/jobs/letters.ts'
import type { Pace } from '../../src/jobs/queue.ts'
import { MINUTE, SECOND, systemClock } from '../../src/lib/clock.ts'
import { type Log, silentLog } from '../../src/lib/log.ts'
import { createSealer } from '../../src/lib/seal.ts'
import type { Letter } from '../../src/mail/letter.ts'
import { createMail } from '../../src/mail/mail.ts'

const VIEWS = path.resolve(import.meta.dirname, '../../../../views')

/** The shortest the queue knows. */
const HURRY: Partial<Pace> = {
  look: 100,
  poll: SECOND / 2,
  retry: SECOND,
  retryMost: SECOND,
  heartbeat: 10 * SECOND,
  supervise: SECOND,
  leave: SECOND,
}

type Options = {
  secretKey: Buffer
  /** As the environment would say them. */
  settings?: Record<string, string>
  pace?: Partial<Pace>
  patience?: number
  log?: Log
}

export type PostOffice = ReturnType<typeof openPostOffice>

/** Nobody delivers before `deliver` is called. */
export function openPostOffice(database: Database, options: Options) {
  const { secretKey, settings, pace, patience = DELIVERY.patience, log = silentLog } = options
  const config = readConfig({ ISSUER: 'https://id.example.com', ...settings })
  const work = createUnitOfWork(database)
  const mail = createMail({
    config,
    database,
    work,
    sealer: createSealer([secretKey]),
    views: createViews(VIEWS, createAssets(path.join(VIEWS, 'assets')), config.branding),
    log,
    now: systemClock,
    delivery: { ...DELIVERY, patience },
  })
  return {
    ...mail,
    work,
    post: (letter: Letter) => work.run(() => mail.outbox.post(letter)),
    deliver() {
      const { embedded, notifications } = database
      const letters = deliverLetters({ ...mail, embedded, notifications, log, pace: { ...HURRY, ...pace } })
      return {
        async stop() {
          await letters.stop()
          mail.close()
        },
      }
    },
  }
}

export const smtpAt = (port: number) => ({
  SMTP_URL: `smtp://127.0.0.1:${port}`,
  MAIL_FROM: 'Anteroom <no-reply@id.example.com>',
})

export const codeLetter = (to: string, code = '123456', more: Partial<Letter> = {}): Letter => ({
  to,
  userId: null,
  content: {
    kind: 'code',
    code,
    link: 'https://id.example.com/verify#a-secret-of-the-link',
    validMs: 10 * MINUTE,
    clientName: 'Tea & Sons',
  },
  occasion: { at: new Date(), ip: '127.0.0.1', userAgent: 'curl/8.0' },
  uselessAfter: 10 * MINUTE,
  ...more,
})

// The room's door: everything that has to do with letters, put together.
import type { Config } from '../config.ts'
import type { Database } from '../db/database.ts'
import type { UnitOfWork } from '../db/unit-of-work.ts'
import type { Views } from '../http/view.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Sealer } from '../lib/seal.ts'
import { createCompose } from './compose.ts'
import { createDeliveryStore, type DeliveryStore } from './delivery.store.ts'
import { createDelivery, type Deliver } from './delivery.ts'
import type { Outbox } from './letter.ts'
import { createOutbox } from './outbox.store.ts'
import { createPlaces } from './place.ts'
import { createSmtpTransport, type SmtpOptions } from './smtp.ts'
import { createMailboxTransport, type Transport } from './transport.ts'

/** What the development mailbox reads. */
export type Mailbox = Pick<DeliveryStore, 'listMessages' | 'findMessage'>

export type Mail = {
  outbox: Outbox
  store: DeliveryStore
  deliver: Deliver
  /** Null where letters are really sent, and in production. */
  mailbox: Mailbox | null
  close(): void
}

type Dependencies = {
  config: Config
  database: Pick<Database, 'pool'>
  work: UnitOfWork
  sealer: Sealer
  views: Views
  log: Log
  now: Clock
  /** For how many milliseconds a letter is tried, and how many are on their way at once. */
  delivery: { patience: number; atOnce: number }
}

export function createMail(deps: Dependencies): Mail {
  const { config, database, work, sealer, views, log, now, delivery } = deps
  const store = createDeliveryStore(database.pool)
  const compose = createCompose({
    views,
    issuer: config.ISSUER,
    service: config.branding.name,
    placeOf: createPlaces(),
  })
  const transport = createTransport(config, delivery.atOnce, log)
  return {
    outbox: createOutbox(work, { sealer, now }),
    store,
    deliver: createDelivery({ store, sealer, compose, transport, patience: delivery.patience, log }),
    mailbox: config.production || config.SMTP_URL ? null : store,
    close: transport.close,
  }
}

function createTransport(config: Config, connections: number, log: Log): Transport {
  const { SMTP_URL: url, MAIL_FROM, ISSUER, branding } = config
  const from = MAIL_FROM ?? { name: branding.name, address: `no-reply@${new URL(ISSUER).hostname}` }
  if (url) return createSmtpTransport({ url, from, dkim: dkimOf(config), connections })
  return createMailboxTransport(from, (line) => log.info(line))
}

function dkimOf(config: Config): SmtpOptions['dkim'] {
  const { SMTP_DKIM_DOMAIN: domainName, SMTP_DKIM_SELECTOR: keySelector, SMTP_DKIM_KEY: privateKey } = config
  return domainName && keySelector && privateKey ? { domainName, keySelector, privateKey } : null
}

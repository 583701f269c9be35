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
import { createMailboxTransport, type Sender, type Transport } from './transport.ts'

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
  /** Milliseconds for which a letter is tried. */
  patience: number
}

export function createMail({
  config,
  database,
  work,
  sealer,
  views,
  log,
  now,
  patience,
}: Dependencies): Mail {
  const store = createDeliveryStore(database.pool)
  const compose = createCompose({
    views,
    issuer: config.ISSUER,
    service: config.branding.name,
    placeOf: createPlaces(),
  })
  const transport = createTransport(config, log)
  return {
    outbox: createOutbox(work, { sealer, now }),
    store,
    deliver: createDelivery({ store, sealer, compose, transport, patience, log }),
    mailbox: config.production || config.SMTP_URL ? null : store,
    close: transport.close,
  }
}

function createTransport({ ISSUER, branding }: Config, log: Log): Transport {
  const from: Sender = { name: branding.name, address: `no-reply@${new URL(ISSUER).hostname}` }
  return createMailboxTransport(from, (line) => log.info(line))
}

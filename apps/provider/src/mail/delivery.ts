// One try to deliver one letter: load, open, compose, send, forget.
import { setTimeout } from 'node:timers/promises'
import { MINUTE } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Sealer } from '../lib/seal.ts'
import type { Compose, Message } from './compose.ts'
import type { DeliveryStore, WaitingLetter } from './delivery.store.ts'
import { openLetter } from './outbox.store.ts'
import { Refused, type Transport } from './transport.ts'

/** `done`: nothing is left to do. `later`: worth another try. `dead`: given up, for the operator to see. */
export type Outcome = { status: 'done' } | { status: 'later' | 'dead'; why: string }

export type Deliver = (id: string) => Promise<Outcome>

type Dependencies = {
  store: DeliveryStore
  sealer: Sealer
  compose: Compose
  transport: Transport
  /** Milliseconds for which a letter is tried. */
  patience: number
  log: Log
}

/** Less than a job may take before it is anybody's again. */
const LONGEST_TRY = 4 * MINUTE

const DONE: Outcome = { status: 'done' }

/** Neither the log nor the reason ever names a recipient, a code or a link. @throws errors of the database */
export function createDelivery({ store, sealer, compose, transport, patience, log }: Dependencies): Deliver {
  let isFailing = false

  async function send(letter: WaitingLetter): Promise<Outcome> {
    const message = write(letter)
    if (!message) return retry(letter, 'could not be written')
    try {
      await store.markSent(letter.id, await inTime(transport.send(message)))
      if (isFailing) log.info('letters are delivered again')
      isFailing = false
      return DONE
    } catch (error) {
      return error instanceof Refused ? giveUp(letter, error.message) : retry(letter, reasonOf(error))
    }
  }

  /** What fails here is our own: its message knows nothing of the letter's. */
  function write({ id, kind, sealed }: WaitingLetter): Message | null {
    try {
      return compose(id, openLetter(sealer, id, sealed))
    } catch (error) {
      log.error({ err: error, letter: id, kind }, 'a letter could not be written')
      return null
    }
  }

  async function retry(letter: WaitingLetter, why: string): Promise<Outcome> {
    if (letter.isOld) return giveUp(letter, why)
    const { id, kind } = letter
    log[isFailing ? 'debug' : 'warn'](
      { letter: id, kind, reason: why },
      'a letter could not be delivered yet',
    )
    isFailing = true
    return { status: 'later', why }
  }

  async function giveUp({ id, kind }: WaitingLetter, why: string): Promise<Outcome> {
    await store.giveUp(id, why)
    log.warn({ letter: id, kind, reason: why }, 'a letter was given up; `mail list` shows it')
    return { status: 'dead', why }
  }

  return async (id) => {
    const letter = await store.findWaiting(id, patience)
    if (!letter) return DONE
    if (!letter.isUseless) return send(letter)
    await store.drop(id)
    log.warn(
      { letter: id, kind: letter.kind },
      'a letter could not be delivered in time and is of no use any more',
    )
    return DONE
  }
}

/** A server that says a little every now and then keeps no place for ever. What it does with the letter then, nobody knows. */
async function inTime<T>(sending: Promise<T>): Promise<T> {
  const over = new AbortController()
  const late = setTimeout(LONGEST_TRY, undefined, { signal: over.signal, ref: false }).then(() => {
    throw Object.assign(new Error('the try took too long'), { code: 'ETIMEDOUT' })
  })
  late.catch(() => {})
  return Promise.race([sending, late]).finally(() => over.abort())
}

type SmtpError = { code?: unknown; responseCode?: unknown }

/** By codes alone: what a mail server says often repeats the address. */
function reasonOf(error: unknown): string {
  const { code, responseCode } = error as SmtpError
  const codes = [code, responseCode].filter((part) => part !== undefined).map(String)
  return codes.join(' ') || (error instanceof Error ? error.name : 'unknown')
}

// Ends what nobody needs any more: what has expired, counters whose time is over, accounts never confirmed, devices trusted
// long ago, old events.
import { type Position, removeExpired } from '../artifacts/retention.store.ts'
import { type Place, removeOld, shortenAddresses } from '../audit/retention.store.ts'
import type { Policy } from '../config.ts'
import type { Connection, Database } from '../db/database.ts'
import { MINUTE } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { removeSpent } from '../limits/retention.store.ts'
import { removeOldLetters } from '../mail/retention.store.ts'
import { removeOver, removeTrust, removeUnconfirmed } from '../users/retention.store.ts'
import type { Job } from './repeat.ts'
import { createWalk, type Rest, restNineTenths, type Walk } from './steps.ts'

type Dependencies = {
  database: Pick<Database, 'inTurn'>
  policy: Pick<Policy, 'retention' | 'registration' | 'factors'>
  log: Log
  rest?: Rest
  /** Rows to a step. */
  size?: number
}

const EVERY = 10 * MINUTE
/** 6 ms for a step through a million rows, about a second where each is of a dead family of thousands (decision 009). */
const SIZE = 1000

export function createRetention(deps: Dependencies): Job {
  const { database, policy, log, rest = restNineTenths, size = SIZE } = deps
  const { expired: margin, audit, audit_ip, letters } = policy.retention
  const { unconfirmed } = policy.registration
  const { trusted_device: trust } = policy.factors
  const walks: Record<string, Walk> = {
    artifacts: createWalk<Position>((connection, after) =>
      removeExpired(connection, { after, margin, size }),
    ),
    limits: createWalk<string>((connection, after) => removeSpent(connection, { after, margin, size })),
    challenges: createWalk<string>((connection, after) => removeOver(connection, { after, margin, size })),
    devices: createWalk<string>((connection, after) => removeTrust(connection, { after, keep: trust, size })),
    unconfirmed: createWalk((connection) => removeUnconfirmed(connection, { keep: unconfirmed, size })),
    events: createWalk((connection) => removeOld(connection, { keep: audit, size })),
    addresses: createWalk<Place>((connection, after) =>
      shortenAddresses(connection, { after, keep: audit_ip, size }),
    ),
    letters: createWalk<string>((connection, after) =>
      removeOldLetters(connection, { after, keep: letters, size }),
    ),
  }

  const takeAll = (signal: AbortSignal) => async (connection: Connection) => {
    const changed: Record<string, number> = {}
    for (const [name, walk] of Object.entries(walks)) {
      try {
        changed[name] = await walk(connection, rest, signal)
      } catch (error) {
        log.error({ err: error, rows: name }, 'retention failed here; the next run goes on at this place')
      }
    }
    return changed
  }

  return {
    name: 'retention',
    every: EVERY,
    async run(signal) {
      const changed = await database.inTurn('retention', takeAll(signal))
      if (!changed) return log.debug('another instance is at retention')
      const level = Object.values(changed).some((rows) => rows > 0) ? 'info' : 'debug'
      log[level](changed, 'retention: rows removed, and addresses shortened')
    },
  }
}

// The outbox: letters wait in the table for whoever delivers, sealed, written with the change that causes them.
import type { Part } from '../db/commit.ts'
import { notification } from '../db/notifications.ts'
import type { UnitOfWork } from '../db/unit-of-work.ts'
import type { Clock } from '../lib/clock.ts'
import { createId } from '../lib/ids.ts'
import type { Sealer } from '../lib/seal.ts'
import { shortUserAgent } from '../lib/user-agent.ts'
import type { Letter, Occasion, Outbox } from './letter.ts'

/** Where a new letter is announced to all instances. */
export const LETTERS_TOPIC = 'letters'

export const rowOf = (id: string) => `letters:${id}`

const LETTERS: Part = {
  name: 'letter_rows',
  columns: 'id text, kind text, user_id text, sealed text, useless_after float8',
  sql: (rows) => `insert into letters (id, kind, user_id, sealed, expires_at)
    select id, kind, user_id, decode(sealed, 'base64'), now() + useless_after * interval '1 ms' from ${rows}
    returning ${notification(LETTERS_TOPIC)}`,
}

export function createOutbox(work: UnitOfWork, { sealer, now }: { sealer: Sealer; now: Clock }): Outbox {
  return {
    async post({ to, userId, content, occasion, uselessAfter }) {
      const id = createId('ltr', now())
      await work.write(LETTERS, id, {
        id,
        kind: content.kind,
        user_id: userId,
        sealed: seal(sealer, id, { to, content, occasion }),
        useless_after: uselessAfter,
      })
    },
  }
}

function seal(sealer: Sealer, id: string, { to, content, occasion }: SealedLetter): string {
  const short: Occasion = { ...occasion, userAgent: shortUserAgent(occasion.userAgent) }
  return sealer.seal(JSON.stringify({ to, content, occasion: short }), rowOf(id)).toString('base64')
}

/** What only the recipient may read. */
export type SealedLetter = Pick<Letter, 'to' | 'content' | 'occasion'>

/** @throws when the row was changed, or sealed under a key that SECRET_KEY no longer holds */
export function openLetter(sealer: Sealer, id: string, sealed: Uint8Array): SealedLetter {
  const { occasion, ...letter } = JSON.parse(sealer.open(sealed, rowOf(id)).toString()) as SealedLetter
  return { ...letter, occasion: { ...occasion, at: new Date(occasion.at) } }
}

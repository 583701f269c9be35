// How a letter leaves: by SMTP, or, in development without a mail server, into the development mailbox.

import type { Message } from './compose.ts'
import type { KeptMessage } from './delivery.store.ts'

export type Sender = { name: string; address: string }

export type Transport = {
  /**
   * Resolves when the letter is in somebody else's hands; with what the development mailbox is to show, if that is them.
   * @throws Refused no further try will help; any other error: another one may
   */
  send(message: Message): Promise<KeptMessage | null>
  close(): void
}

/** The mail server will never take this letter. Says by which code, nothing of what it answered: that names the recipient. */
export class Refused extends Error {
  override name = 'Refused'
}

/** @param tell writes one line to the terminal */
export function createMailboxTransport(from: Sender, tell: (line: string) => void): Transport {
  return {
    async send({ messageId, to, subject, text, html, headers }) {
      const at = new Date()
      tell(`Letter to ${to}: ${subject}`)
      const shown = {
        From: `${from.name} <${from.address}>`,
        To: to,
        Subject: subject,
        Date: at.toUTCString(),
        'Message-ID': messageId,
        ...headers,
      }
      return { id: idOf(messageId), at: at.toISOString(), to, subject, text, html, headers: shown }
    },
    close: () => {},
  }
}

const idOf = (messageId: string) => messageId.slice(1, messageId.indexOf('@'))

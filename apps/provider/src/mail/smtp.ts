// Letters by SMTP: a few connections that are kept, every wait with an end, signed where DKIM is set up.
import { createTransport } from 'nodemailer'
import { parseConnectionUrl } from 'nodemailer/lib/shared'
import { SECOND } from '../lib/clock.ts'
import { Refused, type Sender, type Transport } from './transport.ts'

export type SmtpOptions = {
  /** `smtp://` or `smtps://`; its query may say more, as nodemailer knows it: `?tls.rejectUnauthorized=false`. */
  url: string
  from: Sender
  /** Signs for this domain (RFC 6376). */
  dkim: { domainName: string; keySelector: string; privateKey: string } | null
  /** Connections, and so letters on their way at once. */
  connections: number
}

/** A server that is not there is found out early; one that thinks about a letter is given time. */
const WAITS = { connectionTimeout: 10 * SECOND, greetingTimeout: 10 * SECOND, socketTimeout: 60 * SECOND }

export function createSmtpTransport({ url, from, dkim, connections }: SmtpOptions): Transport {
  const mailer = createTransport({
    ...parseConnectionUrl(url),
    ...WAITS,
    pool: true,
    maxConnections: connections,
    // A letter whose connection was lost may have arrived: whether it goes once more is decided in one place, not here.
    maxRequeues: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(dkim && { dkim }),
  })
  // What fails, fails the letter that was being sent.
  mailer.on('error', () => {})

  return {
    async send({ messageId, to, subject, text, html, headers }) {
      try {
        // As objects: nothing in an address is read as a list of them.
        await mailer.sendMail({
          from,
          to: { name: '', address: to },
          messageId,
          subject,
          text,
          html,
          headers,
        })
      } catch (error) {
        throw isFinal(error) ? new Refused(`refused by the mail server (${codeOf(error)})`) : error
      }
      return null
    },
    close: () => mailer.close(),
  }
}

type SmtpError = { command?: unknown; responseCode?: unknown; response?: unknown }

/**
 * 5yz for the recipient or for the content is this server's last word (RFC 5321, section 4.2.1). Refused before that, the
 * server refuses us, which its operator or ours will change.
 */
function isFinal(error: unknown): boolean {
  const { command, responseCode } = error as SmtpError
  return Number(responseCode) >= 500 && (command === 'RCPT TO' || command === 'DATA')
}

/** `550 5.1.1`: the reply's code and, where there is one, its enhanced code (RFC 3463). */
function codeOf(error: unknown): string {
  const { response, responseCode } = error as SmtpError
  return /^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?/.exec(String(response))?.[0] ?? String(responseCode)
}

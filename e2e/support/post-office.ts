// A real mail server for the journeys: keeps every letter it is sent, and tells them over HTTP to the tests' processes.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'

export type Letter = { to: string; subject: string; text: string; html: string }

export const PORTS = { smtp: 4125, letters: 4180 }

export async function openPostOffice(): Promise<() => Promise<void>> {
  const letters: Letter[] = []
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData(stream, session, callback) {
      simpleParser(stream).then(({ subject = '', text = '', html }) => {
        const to = session.envelope.rcptTo[0]?.address ?? ''
        letters.unshift({ to, subject, text, html: html || '' })
        callback()
      }, callback)
    },
  })
  smtp.listen(PORTS.smtp, '127.0.0.1')
  const http = createServer((req, res) => {
    const to = new URL(req.url ?? '/', 'http://localhost').searchParams.get('to')?.toLowerCase()
    res.end(JSON.stringify(letters.filter((letter) => letter.to.toLowerCase() === to)))
  })
  http.listen(PORTS.letters, '127.0.0.1')
  await Promise.all([once(smtp.server, 'listening'), once(http, 'listening')])
  return async () => {
    http.close()
    await new Promise<void>((resolve) => smtp.close(() => resolve()))
  }
}

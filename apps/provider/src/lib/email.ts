import { domainToASCII } from 'node:url'

/** An address as the person wrote it, and the one form that makes it unique. */
export type Email = { address: string; canonical: string }

// The HTML Standard's grammar of a valid e-mail address (section 4.10.5.1.5): no quotes, comments, groups or line breaks.
const GRAMMAR = /^[\w.!#$%&'*+/=?^`{|}~-]+@[^\s@,;:<>()[\]\\"]+$/
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const MAX_ADDRESS = 254
const MAX_LOCAL = 64

/**
 * Reads an address by the HTML Standard's grammar and the length limits of RFC 5321, section 4.5.3.1.
 * Canonical: the domain in lower case and punycode, the local part in lower case. Null when it is none.
 */
export function parseEmail(text: string): Email | null {
  const address = text.trim()
  if (address.length > MAX_ADDRESS || !GRAMMAR.test(address)) return null
  const at = address.lastIndexOf('@')
  const local = address.slice(0, at)
  const domain = domainToASCII(address.slice(at + 1).normalize('NFC')).replace(/\.$/, '')
  if (local.length > MAX_LOCAL || !isDomain(domain)) return null
  const canonical = `${local.toLowerCase()}@${domain}`
  return canonical.length > MAX_ADDRESS ? null : { address: `${local}@${domain}`, canonical }
}

function isDomain(domain: string): boolean {
  const labels = domain.split('.')
  return domain.length > 0 && labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1)!)
}

// RFC 5322, section 3.4, without comments: `Anteroom <no-reply@example.com>`, the name perhaps in quotes.
const NAMED = /^(?:"([^"\\<>]{1,100})"|([^"\\<>@]{1,100}))\s*<([^<>]+)>$/

/** A sender as people write one: an address, or a name and the address in angle brackets. Null when it is none. */
export function parseSender(text: string): { name: string; address: string } | null {
  if (/\p{Cc}/u.test(text)) return null
  const [, quoted, plain, inside] = NAMED.exec(text.trim()) ?? []
  const email = parseEmail(inside ?? text)
  return email && { name: (quoted ?? plain ?? '').trim(), address: email.address }
}

/** `a…@example.com`: enough for whoever knows the address to know it again. */
export function maskEmail(address: string): string {
  const at = address.lastIndexOf('@')
  const [first = ''] = address
  return `${first}…${address.slice(at)}`
}

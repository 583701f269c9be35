// Composing: what a letter says, in HTML and in plain text, with the headers that tell machines what it is.
import { type Views, view } from '../http/view.ts'
import { deviceOf } from './device.ts'
import type { Content, LetterKind } from './letter.ts'
import type { SealedLetter } from './outbox.store.ts'
import { SAMPLES } from './samples.ts'
import { durationInWords, endInWords, oneLine, timeInWords } from './words.ts'

/** Ready to be sent. */
export type Message = {
  /** Stays the same however often it is sent: who gets it twice can tell. */
  messageId: string
  to: string
  subject: string
  text: string
  html: string
  /** Beyond those that every message has. */
  headers: Record<string, string>
}

export type Compose = (id: string, letter: SealedLetter) => Message

type Facts = { time: string; device: string; place: string }
type Body = {
  content: Content
  facts: Facts
  /** How long what it offers works. */
  until: { howLong: string; time: string } | null
  /** How long what it tells of lasts. */
  wait: string | null
  app: string | null
}
type Letterhead = { title: string; preheader: string; facts: Facts }

type Subject<Kind extends LetterKind> = (
  content: Extract<Content, { kind: Kind }>,
  service: string,
) => { subject: string; preheader: string }

const SUBJECTS: { [Kind in LetterKind]: Subject<Kind> } = {
  code: ({ code }, service) => ({
    subject: `${code} is your ${service} code`,
    preheader: 'Enter it where you asked for it. Nobody from us will ever ask you for it.',
  }),
  address_in_use: ({ wanted }, service) => ({
    subject:
      wanted === 'account'
        ? `You already have an account at ${service}`
        : `Your address already has an account at ${service}`,
    preheader: 'Nothing was changed. Here is how you get in.',
  }),
  reset_link: (_, service) => ({
    subject: `Choose a new ${service} password`,
    preheader: 'The link works once. If you did not ask for it, nothing happens.',
  }),
  new_browser: (_, service) => ({
    subject: `New sign-in to your ${service} account`,
    preheader: 'From a browser we have not seen you use before. Was it you?',
  }),
  password_changed: ({ how }, service) => ({
    subject:
      how === 'set' ? `Your ${service} account has a password now` : `Your ${service} password was changed`,
    preheader: 'If it was you, there is nothing to do.',
  }),
  address_changed: (_, service) => ({
    subject: `The email address of your ${service} account was changed`,
    preheader: 'If it was not you, you can take it back.',
  }),
  address_restored: (_, service) => ({
    subject: `Your ${service} account has its old email address back`,
    preheader: 'Everybody was signed out. Please choose a new password.',
  }),
  password_locked: (_, service) => ({
    subject: `Too many wrong passwords at your ${service} account`,
    preheader: 'Signing in with the password is paused for a while.',
  }),
  password_disabled: (_, service) => ({
    subject: `Your ${service} password no longer works`,
    preheader: 'Too many wrong ones were tried. Please choose a new one.',
  }),
  second_factor_locked: (_, service) => ({
    subject: `Too many wrong codes at your ${service} account`,
    preheader: 'Somebody got past your first step. If it was not you, choose a new password.',
  }),
  second_factor_disabled: (_, service) => ({
    subject: `Your ${service} authenticator app no longer works`,
    preheader: 'Too many wrong codes were tried. If it was not you, choose a new password.',
  }),
  factor_added: (_, service) => ({
    subject: `A way to sign in was added to your ${service} account`,
    preheader: 'If it was you, there is nothing to do.',
  }),
  factor_removed: (_, service) => ({
    subject: `A way to sign in was removed from your ${service} account`,
    preheader: 'If it was you, there is nothing to do.',
  }),
  recovery_code_used: (_, service) => ({
    subject: `A recovery code of your ${service} account was used`,
    preheader: 'It works no more. Was it you who used it?',
  }),
  passkey_copied: (_, service) => ({
    subject: `Somebody may have a copy of your ${service} passkey`,
    preheader: 'It was used in a way that does not fit. Please look at your passkeys.',
  }),
  recovery_asked: ({ isReady }, service) => ({
    subject: isReady
      ? `The second step of your ${service} account can be removed now`
      : `Somebody asked to remove the second step of your ${service} account`,
    preheader: 'If it was not you, stop it with one click.',
  }),
  recovery_ready: (_, service) => ({
    subject: `Get back into your ${service} account`,
    preheader: 'The wait is over. The link removes the second step, once.',
  }),
  recovery_stopped: (_, service) => ({
    subject: `The second step of your ${service} account stays`,
    preheader: 'Somebody stopped the recovery. Please choose a new password.',
  }),
  recovery_done: (_, service) => ({
    subject: `The second step of your ${service} account was removed`,
    preheader: 'Everybody was signed out. If it was not you, act now.',
  }),
}

const KINDS = Object.keys(SUBJECTS) as LetterKind[]
const bodies = Object.fromEntries(
  KINDS.map((kind) => [
    kind,
    { html: view<Body>(`mail/${kind}.html`), text: view<Body>(`mail/${kind}.text`) },
  ]),
)
const html = view<Letterhead & { body: string }>('mail/layout.html')
const text = view<Letterhead & { body: string; lastLine: string | null }>('mail/layout.text')

type Dependencies = {
  views: Pick<Views, 'fragment'>
  issuer: string
  service: string
  placeOf: (ip: string) => string
}

/** @throws Error for a letter that cannot be composed: its templates are broken */
export function createCompose({ views, issuer, service, placeOf }: Dependencies): Compose {
  const { hostname, host } = new URL(issuer)

  const compose: Compose = (id, { to, content, occasion }) => {
    const { subject, preheader } = describe(content, oneLine(service))
    const facts = {
      time: timeInWords(occasion.at),
      device: deviceOf(occasion.userAgent),
      place: placeOf(occasion.ip),
    }
    const wait = 'waitMs' in content ? durationInWords(content.waitMs) : null
    const body = { content, facts, until: untilOf(content, occasion.at), wait, app: appOf(content) }
    const head = { title: subject, preheader, facts }
    const { [content.kind]: part } = bodies
    return {
      messageId: `<${id}@${hostname}>`,
      to,
      subject,
      html: views.fragment(html, { ...head, body: views.fragment(part!.html, body) }),
      text: tidy(
        views.fragment(text, {
          ...head,
          body: views.fragment(part!.text, body),
          lastLine: boundCode(content, host),
        }),
      ),
      headers: HEADERS,
    }
  }

  const occasion = { at: new Date(0), ip: '', userAgent: '' }
  for (const content of Object.values(SAMPLES)) compose('', { to: '', content, occasion })
  return compose
}

/** Machines do not answer it (RFC 3834, section 5; the second is Exchange's own). */
const HEADERS = { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' }

function describe<Kind extends LetterKind>(content: Extract<Content, { kind: Kind }>, service: string) {
  return (SUBJECTS[content.kind as Kind] as Subject<Kind>)(content, service)
}

function untilOf(content: Content, from: Date): Body['until'] {
  if (!('validMs' in content)) return null
  const { validMs } = content
  return { howLong: durationInWords(validMs), time: endInWords(from, validMs) }
}

const appOf = (content: Content) =>
  'clientName' in content && content.clientName !== null ? oneLine(content.clientName) : null

/** Programs that fill in codes offer this one to no other site (https://wicg.github.io/sms-one-time-codes/). */
const boundCode = (content: Content, host: string) =>
  content.kind === 'code' ? `@${host} #${content.code}` : null

const tidy = (written: string) =>
  `${written
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()}\n`

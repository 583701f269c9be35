import path from 'node:path'
import {
  addressPage,
  codePage,
  consoleOf,
  devicesPart,
  forgotPage,
  forgotSentPage,
  homePage,
  passwordPage,
  profilePage,
  recoveredPage,
  recoverPage,
  recoveryStoppedPage,
  resetPage,
  savedPage,
  securityPage,
  stopRecoveryPage,
  undonePage,
  undoPage,
  verifyLinkPage,
  wayPage,
} from '../../src/account/pages.ts'
import { letterPage, mailboxPage } from '../../src/dev/mailbox.routes.ts'
import { createAssets } from '../../src/http/assets.ts'
import { errorPage } from '../../src/http/error-pages.ts'
import { createViews, type FieldError, type PageData, view } from '../../src/http/view.ts'
import {
  confirmPage,
  consentPage,
  createAccountPage,
  enrolPage,
  linkPage,
  lostPage,
  managePage,
  methodPage,
  recoveryAskedPage,
  signInPage,
} from '../../src/interaction/pages.ts'
import type { TrustOffer } from '../../src/methods/method.ts'
import { createSetup, type Setup } from '../../src/methods/totp/setup.ts'

export const ROOT = path.resolve(import.meta.dirname, '../../../../views')
export const ASSETS = path.join(ROOT, 'assets')

/** What somebody else chose: each sample draws its page with whatever text it is given here. */
export type Told = { name: string; host: string; email: string; errors: FieldError[] }

type Named = { name: string; host: string | null }

const passwordField = view<{
  action: string
  focused: boolean
  errors: FieldError[]
  forgotUrl: string
}>('methods/password/sign-in')
const newPasswordField = view<{ errors: FieldError[]; minLength: number }>('methods/password/enrol')
const emailCodeDoor = view<{ action: string }>('methods/email-code/door')
const emailCodePage = view<{
  action: string
  again: string
  csrf: string
  address: string
  errors: FieldError[]
}>('methods/email-code/code')
type Form = { action: string; csrf: string }
const totpCode = view<Form & { errors: FieldError[]; trust: TrustOffer | null }>('methods/totp/code')
const passwordPanel = view<Form & { hasPassword: boolean }>('methods/password/panel')
const totpPanel = view<Form & { isEnrolled: boolean }>('methods/totp/panel')
const totpSetup = view<
  Form & { setup: Setup | null; isOver: boolean; errors: FieldError[]; doneUrl: string }
>('methods/totp/setup')
const recoveryCode = view<Form & { errors: FieldError[] }>('methods/recovery-codes/code')
const recoveryPanel = view<Form & { isNeeded: boolean; left: number; isLow: boolean }>(
  'methods/recovery-codes/panel',
)
const recoveryList = view<{ codes: string[]; email: string; doneUrl: string }>('methods/recovery-codes/list')
type PasskeyProof = { action: string; options: string; lifetime: number; errors: FieldError[] }
const passkeyDoor = view<PasskeyProof>('methods/passkey/door')
const passkeySecondFactor = view<PasskeyProof & { csrf: string; trust: TrustOffer | null }>(
  'methods/passkey/second-factor',
)
const passkeyAdd = view<PasskeyProof & { csrf: string; starts: boolean }>('methods/passkey/add')
const passkeyOffer = view<Record<'add' | 'later', { action: string; csrf: string }>>('methods/passkey/offer')
const passkeyPanel = view<{
  passkeys: {
    id: string
    credentialId: string
    name: string
    added: { iso: string; text: string }
    used: { iso: string; text: string } | null
  }[]
  addAction: string
  renameAction: string
  removeAction: string
  csrf: string
  isFull: boolean
  accepted: string
}>('methods/passkey/panel')
const onwardPage = view<PageData & { onward: string; client: { name: string } | null }>('interaction/onward')
const signOutPage = view<
  PageData & { client: Named | null; person: { email: string } | null; action: string; csrf: string }
>('interaction/sign-out')
const signedOutPage = view<PageData & { client: { name: string; uri: string | null } | null }>(
  'interaction/signed-out',
)
const views = createViews(ROOT, createAssets(ASSETS), { name: 'Anteroom' })
const post = (action: string) => ({ action, csrf: 'mac-of-the-cookie' })
const cancel = post('/interaction/1/cancel')
const frame = { signOut: post('/sign-out'), recovery: null }
const asked = {
  askedAt: 'Sunday 22 November 2026 at 22:14 UTC',
  until: 'Wednesday 25 November 2026 at 22:14 UTC',
}
const recovery = { ...post('/account/recovery/stop'), ...asked, isReady: false }
const doors = { signInUrl: '/sign-in', registerUrl: '/register', accountUrl: '/account' }

const passwordDoor = ({ email, errors }: Told) =>
  views.fragment(passwordField, {
    action: '/interaction/1/method/password',
    focused: email !== '' && errors.length === 0,
    errors,
    forgotUrl: '/forgot',
  })
const mailDoor = () => views.fragment(emailCodeDoor, { action: '/interaction/1/method/email-code/begin' })
const passkeyProof = ({ name, errors }: Told) => ({
  ...post('/interaction/1/method/passkey'),
  options: JSON.stringify({ user: { name } }),
  lifetime: 300_000,
  errors,
})
const trust = { length: '30 days', isTicked: true }
const day = { iso: '2026-11-22T12:00:00.000Z', text: '22 November 2026' }
const onMethodPage = (title: string, part: string, errors: FieldError[]) =>
  views.page(methodPage, {
    title,
    part,
    errors,
    ways: [{ label: 'Use another address or another way', url: '/interaction/1/sign-in' }],
    cancel,
  })
const codePart = ({ email, errors }: Told) =>
  views.fragment(emailCodePage, {
    ...post('/interaction/1/method/email-code'),
    again: '/interaction/1/method/email-code/begin',
    address: email,
    errors,
  })

/** A part of a person's account, or of a second step, in a page with a heading. */
const framed = (part: string, { errors, scripts = [] }: { errors: FieldError[]; scripts?: string[] }) =>
  views.page(methodPage, {
    title: 'Your second step',
    part: part.includes('<h1>') ? part : `<h1>Security</h1>${part}`,
    errors,
    scripts,
    ways: [{ label: 'Use a recovery code', url: '/interaction/1/second/recovery-codes' }],
    cancel,
  })
const account = '/account/security/totp'
const setUp = ({ email, errors }: Told, { isFirst = true, isOver = false } = {}) =>
  views.fragment(totpSetup, {
    ...post(account),
    setup: isFirst ? createSetup('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', { service: 'Anteroom', email }) : null,
    isOver,
    errors,
    doneUrl: '/account/security',
  })
const passwordPart = (hasPassword: boolean) =>
  views.fragment(passwordPanel, { ...post('/account/security/password'), hasPassword })
const recoveryCodesPanel = (left: number, isNeeded = true) =>
  views.fragment(recoveryPanel, {
    ...post('/account/security/recovery-codes'),
    isNeeded,
    left,
    isLow: left < 4,
  })

const deviceForms = {
  forgetAction: '/account/security/devices/forget',
  forgetAllAction: '/account/security/devices/forget-all',
  csrf: 'mac-of-the-cookie',
}

/** Every page a person can be shown, by its file under `views/`; a part is shown inside its page. */
export const samples: Record<string, (told: Told) => string> = {
  'dev/mailbox': ({ name, email }) =>
    views.page(mailboxPage, {
      title: 'Letters',
      letters: [{ id: 'ltr_1', at: '2026-11-22T12:00:00.000Z', to: email, subject: name }],
      scripts: ['mailbox.js'],
    }),
  'dev/letter': ({ name, email }) =>
    views.page(letterPage, {
      title: name,
      letter: { id: 'ltr_1', to: email, subject: name, text: name, headers: { Subject: name } },
    }),
  'interaction/sign-in': (told) =>
    views.page(signInPage, {
      title: 'Sign in',
      client: told,
      doors: [passwordDoor(told), mailDoor(), views.fragment(passkeyDoor, passkeyProof(told))],
      ...post('/interaction/1/method/password'),
      email: told.email,
      errors: told.errors,
      registerUrl: '/interaction/1/register',
      cancel,
      scripts: ['password.js'],
    }),
  'interaction/method': (told) =>
    views.page(methodPage, {
      title: 'Check your mail',
      part: codePart(told),
      errors: told.errors,
      ways: [{ label: 'Use another address or another way', url: '/interaction/1/sign-in' }],
      cancel,
    }),
  'methods/passkey/second-factor': (told) =>
    onMethodPage(
      'Use your passkey',
      views.fragment(passkeySecondFactor, { ...passkeyProof(told), trust }),
      told.errors,
    ),
  'methods/passkey/add': (told) => {
    const data = { ...passkeyProof(told), starts: told.errors.length === 0 }
    return onMethodPage('Add a passkey', views.fragment(passkeyAdd, data), told.errors)
  },
  'methods/passkey/offer': () =>
    onMethodPage(
      'Sign in without a password',
      views.fragment(passkeyOffer, { add: post('/account/security/passkey/add'), later: post('/later') }),
      [],
    ),
  'methods/passkey/panel': ({ name }) =>
    onMethodPage(
      'Security',
      `<h1>Security</h1>${views.fragment(passkeyPanel, {
        passkeys: [
          { id: 'crd_1', credentialId: name, name, added: day, used: day },
          { id: 'crd_2', credentialId: 'b', name: 'YubiKey 5', added: day, used: null },
        ],
        addAction: '/account/security/passkey/add',
        renameAction: '/account/security/passkey/rename',
        removeAction: '/account/security/passkey/remove',
        csrf: 'mac-of-the-cookie',
        isFull: false,
        accepted: JSON.stringify({ rpId: name, userId: '', allAcceptedCredentialIds: [] }),
      })}`,
      [],
    ),
  'interaction/link': (told) =>
    views.page(linkPage, {
      title: 'One more step',
      client: told,
      address: told.email,
      ...post('/interaction/1/method/email-code'),
      token: 'token-of-the-link',
    }),
  'interaction/confirm-address': (told) =>
    views.page(confirmPage, {
      title: 'Confirm your address',
      client: told,
      address: told.email,
      ...post('/interaction/1/confirm'),
      again: '/interaction/1/confirm/begin',
      errors: told.errors,
      cancel,
    }),
  'interaction/create-account': (told) =>
    views.page(createAccountPage, {
      title: 'Create account',
      client: told,
      ...post('/interaction/1/register'),
      email: told.email,
      name: told.name,
      proof: views.fragment(newPasswordField, { errors: told.errors, minLength: 10 }),
      errors: told.errors,
      signInUrl: '/interaction/1/sign-in',
      scripts: ['password.js'],
    }),
  'interaction/consent': ({ name, host, email }) =>
    views.page(consentPage, {
      title: `Allow ${name}`,
      client: { name, host, uri: `https://printer.example/${name}`, logo: null, verified: false },
      person: { name, email },
      redirectHost: host,
      required: [`Know that it is ${name}`],
      optional: [{ name: 'scope', value: name, label: `See the pictures of ${name}` }],
      ...post('/interaction/1/consent'),
      cancel,
    }),
  'interaction/onward': ({ name }) =>
    views.page(onwardPage, {
      title: 'Taking you on',
      onward: `https://printer.example/back?${name}`,
      client: { name },
    }),
  'interaction/sign-out': (told) =>
    views.page(signOutPage, {
      title: 'Sign out',
      client: told,
      person: { email: told.email },
      ...post('/sign-out'),
    }),
  'interaction/signed-out': ({ name }) =>
    views.page(signedOutPage, {
      title: 'You are signed out',
      client: { name, uri: `https://printer.example/${name}` },
    }),
  'errors/error': ({ name }) =>
    views.page(errorPage, {
      title: 'This sign-in cannot continue',
      what: `${name} asked for something we cannot accept.`,
      todo: 'Go back to the app.',
      requestId: name,
      developer: { code: name, detail: name, fix: name },
      back: { label: `Back to ${name}`, url: `https://printer.example/${name}` },
    }),
  home: () =>
    views.page(homePage, { title: 'Welcome', person: null, signOut: null, recovery: null, ...doors }),
  'account/profile': (told) =>
    views.page(profilePage, {
      title: 'Profile',
      console: consoleOf('Profile', frame),
      notice: told.name,
      person: { ...told, emailVerified: false },
      name: told.name,
      errors: told.errors,
      ...post('/account'),
      addressUrl: '/account/address',
      verifyUrl: '/verify',
    }),
  'account/security': ({ name }) =>
    views.page(securityPage, {
      title: 'Security',
      console: consoleOf('Security', frame),
      notice: name,
      panels: [passwordPart(true)],
    }),
  'account/devices': ({ name }) =>
    framed(
      views.fragment(devicesPart, {
        devices: [
          { id: 'crd_1', name, trusted: day, until: day, isThis: true },
          { id: 'crd_2', name: 'Firefox on Linux', trusted: day, until: day, isThis: false },
        ],
        ...deviceForms,
      }),
      { errors: [] },
    ),
  'account/password': (told) =>
    views.page(passwordPage, {
      title: 'Change password',
      console: consoleOf('Security', frame),
      hasPassword: true,
      email: told.email,
      minLength: 10,
      errors: told.errors,
      ...post('/account/security/password'),
      forgotUrl: '/forgot',
      backUrl: '/account/security',
      scripts: ['password.js'],
    }),
  'account/address': (told) =>
    views.page(addressPage, {
      title: 'Change address',
      console: consoleOf('Profile', frame),
      email: told.email,
      typed: told.email,
      errors: told.errors,
      ...post('/account/address'),
      backUrl: '/account',
    }),
  'account/code': (told) =>
    views.page(codePage, {
      title: 'Check your mail',
      console: consoleOf('Profile', frame),
      address: told.email,
      isNew: true,
      ...post('/account/address/confirm'),
      again: '/account/address/confirm/begin',
      errors: told.errors,
      backUrl: '/account',
    }),
  'account/verify-link': (told) =>
    views.page(verifyLinkPage, {
      title: 'Confirm your address',
      address: told.email,
      token: 'token-of-the-link',
      form: post('/verify'),
      signInUrl: '/auth',
    }),
  'account/undo': (told) =>
    views.page(undoPage, {
      title: 'Take your address back',
      address: told.email,
      token: 'token-of-the-link',
      ...post('/undo'),
    }),
  'account/undone': ({ email }) =>
    views.page(undonePage, { title: 'Your address is back', address: email, forgotUrl: '/forgot' }),
  'interaction/enrol': (told) =>
    views.page(enrolPage, {
      title: 'Set up a second step',
      client: told,
      csrf: 'mac-of-the-cookie',
      ways: [{ label: 'Set up authenticator app', action: '/interaction/1/enrol/totp/begin' }],
      goOn: null,
      cancel,
    }),
  'interaction/lost': (told) =>
    views.page(lostPage, {
      title: 'Lost your second step?',
      address: told.email,
      ways: [{ label: 'Use a recovery code', url: '/interaction/1/second/recovery-codes' }],
      wait: '3 days',
      running: null,
      ...post('/interaction/1/lost'),
      errors: told.errors,
      cancel,
    }),
  'interaction/recovery-asked': () =>
    views.page(recoveryAskedPage, {
      title: 'Was it you?',
      running: { ...asked, isReady: false },
      ...post('/interaction/1/recovery'),
      stopAction: '/interaction/1/recovery/stop',
      passwordUrl: '/account/security/password',
    }),
  'interaction/manage': () =>
    views.page(managePage, {
      title: 'Set up your authenticator app',
      part: '<h1>Set up your authenticator app</h1>',
      otherUrl: '/interaction/1',
      later: post('/interaction/1/later'),
      cancel,
    }),
  'account/way': () =>
    views.page(wayPage, {
      title: 'Set up your authenticator app',
      console: consoleOf('Security', frame),
      notice: null,
      part: '<h1>Set up your authenticator app</h1>',
    }),
  'methods/totp/code': ({ errors }) =>
    framed(views.fragment(totpCode, { ...post('/interaction/1/method/totp'), errors, trust }), { errors }),
  'methods/totp/panel': () =>
    framed(views.fragment(totpPanel, { ...post(account), isEnrolled: false }), { errors: [] }),
  'methods/totp/setup': (told) => framed(setUp(told), told),
  'methods/recovery-codes/code': ({ errors }) =>
    framed(views.fragment(recoveryCode, { ...post('/interaction/1/method/recovery-codes'), errors }), {
      errors,
    }),
  'methods/password/panel': () => framed(passwordPart(true), { errors: [] }),
  'methods/recovery-codes/panel': () => framed(recoveryCodesPanel(10), { errors: [] }),
  'methods/recovery-codes/list': ({ name, email }) =>
    framed(views.fragment(recoveryList, { codes: [name, ...CODES], email, doneUrl: '/account/security' }), {
      errors: [],
      scripts: ['recovery-codes.js'],
    }),
  'recovery/forgot': (told) =>
    views.page(forgotPage, {
      title: 'Forgot your password?',
      email: told.email,
      errors: told.errors,
      ...post('/forgot'),
      signInUrl: '/sign-in',
    }),
  'recovery/forgot-sent': ({ name, email }) =>
    views.page(forgotSentPage, {
      title: 'Check your mail',
      email,
      minutes: '30 minutes',
      wayOn: { label: `Back to ${name}`, url: `https://printer.example/${name}` },
    }),
  'recovery/reset': (told) =>
    views.page(resetPage, {
      title: 'Choose a new password',
      email: told.email,
      token: 'token-of-the-link',
      minLength: 10,
      errors: told.errors,
      ...post('/reset'),
      scripts: ['password.js'],
    }),
  'recovery/recover': ({ email }) =>
    views.page(recoverPage, {
      title: 'Remove your second step',
      address: email,
      askedAt: asked.askedAt,
      token: 'token-of-the-link',
      ...post('/recover'),
    }),
  'recovery/recovered': () =>
    views.page(recoveredPage, { title: 'Your second step is removed', signInUrl: '/sign-in' }),
  'recovery/stop': () =>
    views.page(stopRecoveryPage, {
      title: 'Keep your second step',
      askedAt: asked.askedAt,
      token: 'token-of-the-link',
      ...post('/recover/stop'),
    }),
  'recovery/stopped': () =>
    views.page(recoveryStoppedPage, { title: 'Your second step stays', passwordUrl: '/forgot' }),
  'recovery/saved': ({ name }) =>
    views.page(savedPage, {
      title: 'Your password is saved',
      wayOn: { label: `Back to ${name}`, url: `https://printer.example/${name}` },
    }),
}

/** The same pages with the least they can be given. */
export const bareSamples: Record<string, () => string> = {
  'a sign-in to our own pages': () =>
    views.page(signInPage, {
      title: 'Sign in',
      client: null,
      doors: [passwordDoor(nobody)],
      ...post('/interaction/1/method/password'),
      email: '',
      errors: [],
      registerUrl: null,
      cancel: null,
    }),
  'a consent without choices': () =>
    views.page(consentPage, {
      title: 'Allow',
      client: { name: 'Printer', host: 'printer.example', uri: null, logo: null, verified: true },
      person: { name: null, email: 'ada@example.com' },
      redirectHost: 'printer.example',
      required: [],
      optional: [],
      ...post('/interaction/1/consent'),
      cancel,
    }),
  'a person with all the passkeys they may have': () =>
    onMethodPage(
      'Security',
      `<h1>Security</h1>${views.fragment(passkeyPanel, {
        passkeys: [],
        addAction: '/add',
        renameAction: '/rename',
        removeAction: '/remove',
        csrf: 'mac-of-the-cookie',
        isFull: true,
        accepted: '{}',
      })}`,
      [],
    ),
  'a person who trusts no device': () =>
    framed(views.fragment(devicesPart, { devices: [], ...deviceForms }), { errors: [] }),
  'a second step without an offer': () =>
    framed(views.fragment(totpCode, { ...post('/interaction/1/second/totp'), errors: [], trust: null }), {
      errors: [],
    }),
  'a person who has asked for a recovery': () =>
    views.page(lostPage, {
      title: 'Now it needs time',
      address: 'ada@example.com',
      ways: [],
      wait: '3 days',
      running: { ...asked, isReady: false },
      ...post('/interaction/1/lost'),
      errors: [],
      cancel,
    }),
  'a person whose recovery waits in the mailbox': () =>
    views.page(lostPage, {
      title: 'Look into your mailbox',
      address: 'ada@example.com',
      ways: [],
      wait: '3 days',
      running: { ...asked, isReady: true },
      ...post('/interaction/1/lost'),
      errors: [],
      cancel,
    }),
  'a notice of a recovery that is ready': () =>
    views.page(recoveryAskedPage, {
      title: 'Was it you?',
      running: { ...asked, isReady: true },
      ...post('/interaction/1/recovery'),
      stopAction: '/interaction/1/recovery/stop',
      passwordUrl: '/account/security/password',
    }),
  'a recovery that was stopped on the way to an app': () =>
    views.page(recoveryAskedPage, {
      title: 'Your second step stays',
      running: null,
      ...post('/interaction/1/recovery'),
      stopAction: '/interaction/1/recovery/stop',
      passwordUrl: '/account/security/password',
    }),
  'the front page of somebody whose recovery runs': () =>
    views.page(homePage, {
      title: 'Welcome',
      person: { name: null, email: 'ada@example.com' },
      signOut: frame.signOut,
      recovery,
      ...doors,
    }),
  'the security of somebody whose recovery is ready': () =>
    views.page(securityPage, {
      title: 'Security',
      console: consoleOf('Security', { ...frame, recovery: { ...recovery, isReady: true } }),
      notice: null,
      panels: [passwordPart(true)],
    }),
  'an onward page to nobody in particular': () =>
    views.page(onwardPage, { title: 'Taking you on', onward: '/account', client: null }),
  'a sign-out without an app': () =>
    views.page(signOutPage, { title: 'Sign out', client: null, person: null, ...post('/sign-out') }),
  'a sign-out that leads nowhere': () =>
    views.page(signedOutPage, { title: 'You are signed out', client: null }),
  'an error with nothing to add': () =>
    views.page(errorPage, {
      title: 'Not found',
      what: 'No page.',
      todo: 'Go back.',
      requestId: null,
      developer: null,
      back: null,
    }),
  'the profile of somebody without a name': () =>
    views.page(profilePage, {
      title: 'Profile',
      console: consoleOf('Profile', frame),
      notice: null,
      person: { name: null, email: 'ada@example.com', emailVerified: true },
      name: '',
      errors: [],
      ...post('/account'),
      addressUrl: '/account/address',
      verifyUrl: '/verify',
    }),
  'the security of somebody without a password': () =>
    views.page(securityPage, {
      title: 'Security',
      console: consoleOf('Security', frame),
      notice: null,
      panels: [passwordPart(false)],
    }),
  'a first password': () =>
    views.page(passwordPage, {
      title: 'Set a password',
      console: consoleOf('Security', frame),
      hasPassword: false,
      email: 'ada@example.com',
      minLength: 10,
      errors: [],
      ...post('/account/security/password'),
      forgotUrl: '/forgot',
      backUrl: '/account/security',
    }),
  'an address that waits for its code': () =>
    views.page(codePage, {
      title: 'Confirm your address',
      console: consoleOf('Profile', frame),
      address: 'ada@example.com',
      isNew: false,
      ...post('/verify'),
      again: '/verify/begin',
      errors: [],
      backUrl: '/account',
    }),
  'a second step that can be turned off': () =>
    framed(views.fragment(totpPanel, { ...post(account), isEnrolled: true }), { errors: [] }),
  'a wrong code while an app is set up': () => framed(setUp(wrongCode, { isFirst: false }), wrongCode),
  'a second step that took too long to set up': () =>
    framed(setUp(tooLate, { isFirst: false, isOver: true }), tooLate),
  'recovery codes that nobody needs': () => framed(recoveryCodesPanel(0, false), { errors: [] }),
  'the last recovery code': () => framed(recoveryCodesPanel(1), { errors: [] }),
  'no recovery code at all': () => framed(recoveryCodesPanel(0), { errors: [] }),
  'a link opened where nobody is signed in': () =>
    views.page(verifyLinkPage, {
      title: 'Confirm your address',
      address: '',
      token: 'token-of-the-link',
      form: null,
      signInUrl: '/auth',
    }),
  'the front page of somebody signed in': () =>
    views.page(homePage, {
      title: 'Welcome',
      person: { name: null, email: 'ada@example.com' },
      recovery: null,
      signOut: post('/sign-out'),
      ...doors,
    }),
}

const CODES = Array.from({ length: 9 }, (_, index) => `${index}K2M9X-04QHDT-ZRSTVW-7YX8CB`)

export const nobody: Told = { name: '', host: '', email: '', errors: [] }
export const ada: Told = {
  name: 'Ada Lovelace',
  host: 'printer.example',
  email: 'ada@example.com',
  errors: [],
}
const wrongCode: Told = { ...ada, errors: [{ field: 'code', message: 'This code is not right.' }] }
const tooLate: Told = { ...ada, errors: [{ field: '', message: 'This cannot be finished any more.' }] }

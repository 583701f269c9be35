// Pages of the journey.
import { type PageData, view } from '../../../src/http/view.ts'
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
} from '../../../src/interaction/pages.ts'
import { asked, cancel, nobody, post, type Told, views } from './ground.ts'
import { codePart, mailDoor, newPasswordField, passkeyDoor, passkeyProof, passwordDoor } from './methods.ts'

type Named = { name: string; host: string | null }
const onwardPage = view<PageData & { onward: string; client: { name: string } | null }>('interaction/onward')
const signOutPage = view<
  PageData & { client: Named | null; person: { email: string } | null; action: string; csrf: string }
>('interaction/sign-out')
const signedOutPage = view<PageData & { client: { name: string; uri: string | null } | null }>(
  'interaction/signed-out',
)

/** By their files under `views/`. */
export const samples: Record<string, (told: Told) => string> = {
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
}

/** With the least they can be given. */
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
  'an onward page to nobody in particular': () =>
    views.page(onwardPage, { title: 'Taking you on', onward: '/account', client: null }),
  'a sign-out without an app': () =>
    views.page(signOutPage, { title: 'Sign out', client: null, person: null, ...post('/sign-out') }),
  'a sign-out that leads nowhere': () =>
    views.page(signedOutPage, { title: 'You are signed out', client: null }),
}

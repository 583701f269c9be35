// A person's own pages, and those of the ways back in.
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
} from '../../../src/account/pages.ts'
import { asked, day, doors, frame, framed, post, recovery, type Told, views } from './ground.ts'
import { passkeyOfferPart, passwordPart } from './methods.ts'

const deviceForms = {
  forgetAction: '/account/security/devices/forget',
  forgetAllAction: '/account/security/devices/forget-all',
  csrf: 'mac-of-the-cookie',
}

/** By their files under `views/`. */
export const samples: Record<string, (told: Told) => string> = {
  'account/profile': (told) =>
    views.page(profilePage, {
      title: 'Profile',
      console: consoleOf('Profile', frame),
      notice: told.name,
      offer: null,
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
  'account/way': () =>
    views.page(wayPage, {
      title: 'Set up your authenticator app',
      console: consoleOf('Security', frame),
      notice: null,
      part: '<h1>Set up your authenticator app</h1>',
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

/** With the least they can be given. */
export const bareSamples: Record<string, () => string> = {
  'a person who trusts no device': () =>
    framed(views.fragment(devicesPart, { devices: [], ...deviceForms }), { errors: [] }),
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
  'the profile of somebody without a name': () =>
    views.page(profilePage, {
      title: 'Profile',
      console: consoleOf('Profile', frame),
      notice: null,
      offer: passkeyOfferPart(false),
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

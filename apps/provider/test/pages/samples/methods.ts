// What methods place on pages, each part inside one.
import { type FieldError, type Form, view } from '../../../src/http/view.ts'
import type { TrustOffer } from '../../../src/methods/method.ts'
import { createSetup, type Setup } from '../../../src/methods/totp/setup.ts'
import { day, framed, onMethodPage, post, type Told, tooLate, views, wrongCode } from './ground.ts'

const passwordField = view<{
  action: string
  focused: boolean
  errors: FieldError[]
  forgotUrl: string
}>('methods/password/sign-in')

export const newPasswordField = view<{ errors: FieldError[]; minLength: number }>('methods/password/enrol')
const emailCodeDoor = view<{ action: string }>('methods/email-code/door')
const emailCodePage = view<{
  action: string
  again: string
  csrf: string
  address: string
  errors: FieldError[]
}>('methods/email-code/code')

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
export const passkeyDoor = view<PasskeyProof>('methods/passkey/door')
const passkeySecondFactor = view<PasskeyProof & { csrf: string; trust: TrustOffer | null }>(
  'methods/passkey/second-factor',
)
const passkeyAdd = view<PasskeyProof & { csrf: string; starts: boolean }>('methods/passkey/add')
const passkeyOffer = view<Record<'add' | 'later', Form> & { isPage: boolean }>('methods/passkey/offer')
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

export const passwordDoor = ({ email, errors }: Told) =>
  views.fragment(passwordField, {
    action: '/interaction/1/method/password',
    focused: email !== '' && errors.length === 0,
    errors,
    forgotUrl: '/forgot',
  })

export const mailDoor = () =>
  views.fragment(emailCodeDoor, { action: '/interaction/1/method/email-code/begin' })
export const passkeyProof = ({ name, errors }: Told) => ({
  ...post('/interaction/1/method/passkey'),
  options: JSON.stringify({ user: { name } }),
  lifetime: 300_000,
  errors,
})

const trust = { length: '30 days', isTicked: true }
export const codePart = ({ email, errors }: Told) =>
  views.fragment(emailCodePage, {
    ...post('/interaction/1/method/email-code'),
    again: '/interaction/1/method/email-code/begin',
    address: email,
    errors,
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

export const passkeyOfferPart = (isPage: boolean) =>
  views.fragment(passkeyOffer, {
    add: post('/account/security/passkey/add'),
    later: post('/account/later'),
    isPage,
  })
export const passwordPart = (hasPassword: boolean) =>
  views.fragment(passwordPanel, { ...post('/account/security/password'), hasPassword })
const recoveryCodesPanel = (left: number, isNeeded = true) =>
  views.fragment(recoveryPanel, {
    ...post('/account/security/recovery-codes'),
    isNeeded,
    left,
    isLow: left < 4,
  })

const CODES = Array.from({ length: 9 }, (_, index) => `${index}K2M9X-04QHDT-ZRSTVW-7YX8CB`)

/** By their files under `views/`. */
export const samples: Record<string, (told: Told) => string> = {
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
  'methods/passkey/offer': () => onMethodPage('Sign in without a password', passkeyOfferPart(true), []),
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
}

/** With the least they can be given. */
export const bareSamples: Record<string, () => string> = {
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
  'a second step without an offer': () =>
    framed(views.fragment(totpCode, { ...post('/interaction/1/second/totp'), errors: [], trust: null }), {
      errors: [],
    }),
  'a second step that can be turned off': () =>
    framed(views.fragment(totpPanel, { ...post(account), isEnrolled: true }), { errors: [] }),
  'a wrong code while an app is set up': () => framed(setUp(wrongCode, { isFirst: false }), wrongCode),
  'a second step that took too long to set up': () =>
    framed(setUp(tooLate, { isFirst: false, isOver: true }), tooLate),
  'recovery codes that nobody needs': () => framed(recoveryCodesPanel(0, false), { errors: [] }),
  'the last recovery code': () => framed(recoveryCodesPanel(1), { errors: [] }),
  'no recovery code at all': () => framed(recoveryCodesPanel(0), { errors: [] }),
}

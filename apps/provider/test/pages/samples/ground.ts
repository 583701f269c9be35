// What all samples of pages stand on.
import path from 'node:path'
import { createAssets } from '../../../src/http/assets.ts'
import { createViews, type FieldError } from '../../../src/http/view.ts'
import { methodPage } from '../../../src/interaction/pages.ts'

export const ROOT = path.resolve(import.meta.dirname, '../../../../../views')
export const ASSETS = path.join(ROOT, 'assets')
/** What somebody else chose: each sample draws its page with whatever text it is given here. */
export type Told = { name: string; host: string; email: string; errors: FieldError[] }

export const views = createViews(ROOT, createAssets(ASSETS), { name: 'Anteroom' })
export const post = (action: string) => ({ action, csrf: 'mac-of-the-cookie' })
export const cancel = post('/interaction/1/cancel')
export const frame = { signOut: post('/sign-out'), recovery: null }
export const asked = {
  askedAt: 'Sunday 22 November 2026 at 22:14 UTC',
  until: 'Wednesday 25 November 2026 at 22:14 UTC',
}

export const doors = { signInUrl: '/sign-in', registerUrl: '/register', accountUrl: '/account' }
export const recovery = { ...post('/account/recovery/stop'), ...asked, isReady: false }
export const day = { iso: '2026-11-22T12:00:00.000Z', text: '22 November 2026' }
export const onMethodPage = (title: string, part: string, errors: FieldError[]) =>
  views.page(methodPage, {
    title,
    part,
    errors,
    ways: [{ label: 'Use another address or another way', url: '/interaction/1/sign-in' }],
    cancel,
  })

/** A part of a person's account, or of a second step, in a page with a heading. */
export const framed = (
  part: string,
  { errors, scripts = [] }: { errors: FieldError[]; scripts?: string[] },
) =>
  views.page(methodPage, {
    title: 'Your second step',
    part: part.includes('<h1>') ? part : `<h1>Security</h1>${part}`,
    errors,
    scripts,
    ways: [{ label: 'Use a recovery code', url: '/interaction/1/second/recovery-codes' }],
    cancel,
  })

export const nobody: Told = { name: '', host: '', email: '', errors: [] }
export const ada: Told = {
  name: 'Ada Lovelace',
  host: 'printer.example',
  email: 'ada@example.com',
  errors: [],
}
export const wrongCode: Told = { ...ada, errors: [{ field: 'code', message: 'This code is not right.' }] }
export const tooLate: Told = { ...ada, errors: [{ field: '', message: 'This cannot be finished any more.' }] }

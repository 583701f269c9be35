import { homePage } from '../../src/account/pages.ts'
import { letterPage, mailboxPage } from '../../src/dev/mailbox.routes.ts'
import { errorPage } from '../../src/http/error-pages.ts'
import * as account from './samples/account.ts'
import { doors, type Told, views } from './samples/ground.ts'
import * as interaction from './samples/interaction.ts'
import * as methods from './samples/methods.ts'

/** Every page a person can be shown, by its file under `views/`; a part is shown inside its page. */
export const samples: Record<string, (told: Told) => string> = {
  ...interaction.samples,
  ...methods.samples,
  ...account.samples,
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
}

/** The same pages with the least they can be given. */
export const bareSamples: Record<string, () => string> = {
  ...interaction.bareSamples,
  ...methods.bareSamples,
  ...account.bareSamples,
  'an error with nothing to add': () =>
    views.page(errorPage, {
      title: 'Not found',
      what: 'No page.',
      todo: 'Go back.',
      requestId: null,
      developer: null,
      back: null,
    }),
}

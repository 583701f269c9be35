import { createTries, type Tries } from '../limits/tries.ts'
import type { AccountDependencies } from './dependencies.ts'
import { createLinks, type Links } from './links.routes.ts'
import { createNotices, type Notices } from './notice.routes.ts'
import { createOffering, type Offering } from './offer.routes.ts'
import { createPasswords, type Passwords } from './passwords.ts'
import { createDoor, type Door } from './session.routes.ts'

/** What all pages of the account have at hand. */
export type Room = AccountDependencies & {
  door: Door
  tries: Tries
  links: Links
  notices: Notices
  passwords: Passwords
  offering: Offering
}

export function furnish(deps: AccountDependencies): Room {
  const tries = createTries(deps.limits)
  return {
    ...deps,
    tries,
    door: createDoor(deps),
    links: createLinks(tries, deps.config),
    notices: createNotices(deps.config.ISSUER),
    passwords: createPasswords(deps.methods),
    offering: createOffering(deps),
  }
}

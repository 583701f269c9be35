import type { Provider } from 'oidc-provider'
import type { AuditLog } from '../audit/store.ts'
import type { Config } from '../config.ts'
import type { Scope } from '../db/unit-of-work.ts'
import type { Csrf } from '../http/csrf.ts'
import type { DeviceCookie } from '../http/device-cookie.ts'
import type { KnownBrowsers } from '../http/known-browsers.ts'
import type { Offers } from '../http/offers.ts'
import type { Views } from '../http/view.ts'
import type { Clock } from '../lib/clock.ts'
import type { Limits } from '../limits/store.ts'
import type { Outbox } from '../mail/letter.ts'
import type { MailedCodes } from '../methods/email-code/codes.ts'
import type { Confirmations } from '../methods/email-code/confirmation.ts'
import type { Recoveries } from '../methods/lost-factors/recoveries.ts'
import type { SignInMethod } from '../methods/method.ts'
import type { AddressStore } from '../users/addresses.store.ts'
import type { ChallengeStore } from '../users/challenges.store.ts'
import type { DeviceStore } from '../users/devices.store.ts'
import type { UserStore } from '../users/store.ts'

export type AccountDependencies = {
  provider: Provider
  config: Config
  views: Views
  csrf: Csrf
  scope: Scope
  users: UserStore
  addresses: AddressStore
  challenges: ChallengeStore
  codes: MailedCodes
  confirmations: Confirmations
  outbox: Outbox
  browsers: KnownBrowsers
  offers: Offers
  devices: DeviceStore
  deviceCookie: DeviceCookie
  audit: AuditLog
  limits: Limits
  methods: SignInMethod[]
  recoveries: Recoveries
  ownClientId: string
  now: Clock
}

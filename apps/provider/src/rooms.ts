// The rooms below the entrances, opened once for a process: what it remembers, and the ways in.
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { createArtifactStore } from './artifacts/store.ts'
import { createAuditLog } from './audit/store.ts'
import { createRegistry } from './clients/registry.ts'
import { createConsentStore } from './clients/store.ts'
import type { Config } from './config.ts'
import type { Database } from './db/database.ts'
import { isDatabaseUnavailable } from './db/unavailable.ts'
import { createUnitOfWork } from './db/unit-of-work.ts'
import { createAssets } from './http/assets.ts'
import { createCsrf } from './http/csrf.ts'
import { createDeviceCookie } from './http/device-cookie.ts'
import { createKnownBrowsers } from './http/known-browsers.ts'
import { createOffers } from './http/offers.ts'
import { createViews } from './http/view.ts'
import { DELIVERY } from './jobs/letters.ts'
import { createKeyStore } from './keys/store.ts'
import type { Clock } from './lib/clock.ts'
import type { Log } from './lib/log.ts'
import type { Sealer } from './lib/seal.ts'
import { watchFailures } from './limits/anomaly.ts'
import { createLimits } from './limits/store.ts'
import { createMail } from './mail/mail.ts'
import { createMailedCodes } from './methods/email-code/codes.ts'
import { createConfirmations } from './methods/email-code/confirmation.ts'
import { createMailbox } from './methods/email-code/mailbox.ts'
import { createMethods } from './methods/index.ts'
import { createRecoveries } from './methods/lost-factors/recoveries.ts'
import { createHasher } from './methods/password/hasher.ts'
import { createAddressStore } from './users/addresses.store.ts'
import { createChallengeStore } from './users/challenges.store.ts'
import { createCredentialStore } from './users/credentials.store.ts'
import { createDeviceStore } from './users/devices.store.ts'
import { createPasskeyStore } from './users/passkeys.store.ts'
import { createRecoveryStore } from './users/recoveries.store.ts'
import { createUserStore } from './users/store.ts'

export type Dependencies = { config: Config; database: Database; sealer: Sealer; log: Log; now: Clock }

/** By name, for entrances to take what they need. */
export type Rooms = ReturnType<typeof openRooms>

const VIEWS = path.resolve(import.meta.dirname, '../../../views')

/** @throws Error for a page or letter that does not compile */
export function openRooms(deps: Dependencies) {
  const ground = openGround(deps)
  const memory = openMemory({ ...deps, ...ground })
  const ways = openWays({ ...deps, ...ground, ...memory })
  return { ...deps, ...ground, ...memory, ...ways, isUnavailable: isDatabaseUnavailable }
}

function openGround({ config, database, sealer }: Dependencies) {
  const assets = createAssets(path.join(VIEWS, 'assets'))
  return {
    scope: createUnitOfWork(database),
    assets,
    views: createViews(VIEWS, assets, config.branding),
    csrf: createCsrf(config.ISSUER, sealer.derive('csrf')),
    offers: createOffers(config.ISSUER),
    browsers: createKnownBrowsers(config.ISSUER, sealer.deriveAll('known-browser')),
    deviceCookie: createDeviceCookie(config.ISSUER, config.policy.factors.trusted_device),
  }
}

function openMemory(deps: Dependencies & ReturnType<typeof openGround>) {
  const { config, database, scope, sealer, log, now } = deps
  const users = createUserStore(scope, now)
  const artifacts = createArtifactStore(database.pool, scope, users.companion)
  const registry = createRegistry(config.clients, config.resources)
  const audit = createAuditLog(scope, now)
  const limits = createLimits(database.pool, config.policy.limits, log)
  const mail = createMail({ ...deps, work: scope, delivery: DELIVERY })
  return {
    users,
    addresses: createAddressStore(scope),
    challenges: createChallengeStore(scope, now),
    credentials: createCredentialStore(scope, now),
    passkeys: createPasskeyStore(scope, now),
    devices: createDeviceStore(scope, now, config.policy.factors.trusted_device),
    recoveryStore: createRecoveryStore(scope, now),
    artifacts,
    ending: { revokeGrant: artifacts.revokeGrant, isFirstParty: registry.isFirstParty },
    consents: createConsentStore(scope),
    registry,
    audit,
    keys: createKeyStore({ scope, sealer, now }),
    limits,
    failures: watchFailures({
      limits,
      onAnomaly: () => audit.record({ type: 'sign_in.anomaly_detected', limit: 'password_failures' }),
      onError: (error) => log.error({ err: error }, 'wrong passwords were not counted'),
    }),
    mail,
    outbox: mail.outbox,
  }
}

function openWays(deps: Dependencies & ReturnType<typeof openGround> & ReturnType<typeof openMemory>) {
  const { config, sealer, recoveryStore } = deps
  const { policy, branding, ISSUER: issuer } = config
  const { slots = hashingSlots(config.WEB_CONCURRENCY), queue, wait } = policy.hashing
  const hasher = createHasher({ slots, queue, waitMs: wait })
  const codes = createMailedCodes({ ...deps, key: sealer.derive('mailed-code') })
  const { registration, lifetimes } = policy
  const mailbox = createMailbox({
    ...deps,
    codes,
    issuer,
    open: registration.open,
    lifetime: lifetimes.email_code,
  })
  return {
    codes,
    mailbox,
    confirmations: createConfirmations({ ...deps, codes, issuer, lifetime: lifetimes.confirmation }),
    recoveries: createRecoveries({
      ...deps,
      store: recoveryStore,
      wait: policy.factors.recovery_wait,
      issuer,
    }),
    methods: createMethods({ ...deps, hasher, codes, mailbox, policy, service: branding.name, issuer }),
  }
}

/** One hash a core, whoever does it, but never all of libuv's threads: signatures and name look-ups need one too. */
function hashingSlots(processes: number): number {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)
  return Math.max(1, Math.min(Math.floor(availableParallelism() / processes), threads - 2))
}

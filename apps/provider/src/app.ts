// The composition root: the only file that knows every room.
import type { RequestListener } from 'node:http'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import type { Provider } from 'oidc-provider'
import { accountRoutes } from './account/routes.ts'
import { createArtifactStore } from './artifacts/store.ts'
import { createAuditLog } from './audit/store.ts'
import { createRegistry } from './clients/registry.ts'
import { createConsentStore } from './clients/store.ts'
import { type Config, ConfigError } from './config.ts'
import { type Database, pingDatabase } from './db/database.ts'
import { isDatabaseUnavailable } from './db/unavailable.ts'
import { createUnitOfWork } from './db/unit-of-work.ts'
import { mailboxRoutes } from './dev/mailbox.routes.ts'
import { createAssets } from './http/assets.ts'
import { createCsrf } from './http/csrf.ts'
import { errorPages } from './http/error-pages.ts'
import { forwardedHeaders, pinHost } from './http/front-door.ts'
import { health } from './http/health.ts'
import { createKnownBrowsers } from './http/known-browsers.ts'
import { securityHeaders } from './http/security-headers.ts'
import { createViews } from './http/view.ts'
import { interactionRoutes } from './interaction/routes.ts'
import { DELIVERY, deliverLetters } from './jobs/letters.ts'
import { repeat } from './jobs/repeat.ts'
import { createRetention } from './jobs/retention.ts'
import { createKeyStore, type Keyring } from './keys/store.ts'
import { watchKeyring } from './keys/watch.ts'
import { type Clock, SECOND } from './lib/clock.ts'
import type { Log } from './lib/log.ts'
import type { Sealer } from './lib/seal.ts'
import { watchFailures } from './limits/anomaly.ts'
import { createLimits } from './limits/store.ts'
import { createMail } from './mail/mail.ts'
import { createMailedCodes } from './methods/email-code/codes.ts'
import { createConfirmations } from './methods/email-code/confirmation.ts'
import { createMailbox } from './methods/email-code/mailbox.ts'
import { createMethods } from './methods/index.ts'
import { createHasher } from './methods/password/hasher.ts'
import { createEngineStorage } from './oidc/adapter.ts'
import { answerFailures, createAnswers } from './oidc/answers.ts'
import { ACCOUNT_CLIENT_ID } from './oidc/clients.ts'
import { listen } from './oidc/events.ts'
import { createProtocolLimits } from './oidc/limits.ts'
import { createProvider } from './oidc/provider.ts'
import { createPublished } from './oidc/published.ts'
import { inUnitOfWork } from './oidc/unit.ts'
import { createAddressStore } from './users/addresses.store.ts'
import { createChallengeStore } from './users/challenges.store.ts'
import { createUserStore } from './users/store.ts'

export type App = {
  /** For `http.createServer`. Always the newest provider: keys change without a restart. */
  handler: RequestListener
  /** From here on `/readyz` sends people elsewhere. */
  drain(): void
  /** Resolved when nothing is under way any more; the database may go then. */
  close(): Promise<void>
}

type Dependencies = { config: Config; database: Database; sealer: Sealer; log: Log; now: Clock }

const VIEWS = path.resolve(import.meta.dirname, '../../../views')
/** How long a key made elsewhere may stay unknown when its notification is lost: security state is never older. */
const KEYS_EVERY = 2 * SECOND
const PING_MS = 2 * SECOND

/** @throws ConfigError for clients the engine does not accept; Error for a page that does not compile */
export async function createApp({ config, database, sealer, log, now }: Dependencies): Promise<App> {
  const { policy, branding } = config
  const scope = createUnitOfWork(database)
  const users = createUserStore(scope, now)
  const artifacts = createArtifactStore(database.pool, scope, users.companion)
  const storage = createEngineStorage(artifacts, {
    secrets: sealer.deriveAll('refresh-successor'),
    refreshWindow: policy.lifetimes.refresh_window,
  })
  const consents = createConsentStore(scope)
  const registry = createRegistry(config.clients, config.resources)
  const audit = createAuditLog(scope, now)
  const limits = createLimits(database.pool, policy.limits, log)
  const failures = watchFailures({
    limits,
    onAnomaly: () => audit.record({ type: 'sign_in.anomaly_detected', limit: 'password_failures' }),
    onError: (error) => log.error({ err: error }, 'wrong passwords were not counted'),
  })
  const protocolLimits = createProtocolLimits(limits, config.ISSUER)
  const keys = createKeyStore({ scope, sealer, now })
  const assets = createAssets(path.join(VIEWS, 'assets'))
  const views = createViews(VIEWS, assets, branding)
  const mail = createMail({ config, database, work: scope, sealer, views, log, now, delivery: DELIVERY })
  const { outbox } = mail
  const csrf = createCsrf(config.ISSUER, sealer.derive('csrf'))
  const { slots = hashingSlots(config.WEB_CONCURRENCY), queue, wait } = policy.hashing
  const hasher = createHasher({ slots, queue, waitMs: wait })
  const addresses = createAddressStore(scope)
  const challenges = createChallengeStore(scope, now)
  const codes = createMailedCodes({ challenges, outbox, key: sealer.derive('mailed-code') })
  const { lifetimes, registration } = policy
  const mailed = { users, addresses, codes, outbox, issuer: config.ISSUER }
  const mailbox = createMailbox({ ...mailed, open: registration.open, lifetime: lifetimes.email_code })
  const confirmations = createConfirmations({ ...mailed, lifetime: lifetimes.confirmation })
  const methods = createMethods({
    users,
    hasher,
    codes,
    mailbox,
    policy,
    service: branding.name,
    issuer: config.ISSUER,
  })
  const browsers = createKnownBrowsers(config.ISSUER, sealer.deriveAll('known-browser'))
  const ending = { revokeGrant: artifacts.revokeGrant, isFirstParty: registry.isFirstParty }
  let draining = false

  const isUnavailable = isDatabaseUnavailable
  const shared = {
    config,
    views,
    csrf,
    users,
    addresses,
    challenges,
    codes,
    mailbox,
    confirmations,
    outbox,
    browsers,
    hasher,
    sealer,
    now,
    consents,
    registry,
    audit,
    limits,
    methods,
    scope,
    log,
    isUnavailable,
    ending,
    failures,
  }
  const isReady = async () => !draining && (await pingDatabase(database, PING_MS))

  const furnish = (keyring: Keyring) => {
    const published = createPublished(config.ISSUER)
    const provider = createProvider({ ...shared, keyring, adapter: storage.adapter })
    storage.attach(provider)
    protocolLimits.attach(provider)
    listen(provider, shared)
    provider.silent = true
    provider.use(published.keep)
    provider.use(securityHeaders(config.ISSUER))
    provider.use(errorPages(shared))
    provider.use(forwardedHeaders(config.ISSUER, config.TRUSTED_PROXIES))
    provider.use(health(isReady))
    provider.use(pinHost(config.ISSUER))
    provider.use(assets.middleware)
    provider.use(answerFailures(isUnavailable))
    provider.use(inUnitOfWork(scope))
    provider.use(createAnswers(shared))
    provider.use(protocolLimits.middleware)
    const pages = [
      ...interactionRoutes({ ...shared, provider, ownClientId: ACCOUNT_CLIENT_ID }),
      accountRoutes({ ...shared, provider, ownClientId: ACCOUNT_CLIENT_ID }),
    ]
    if (mail.mailbox) pages.push(mailboxRoutes({ ...shared, mailbox: mail.mailbox }))
    for (const router of pages) provider.use(router.routes())
    const handle = provider.callback()
    const answer: RequestListener = (req, res) => void (published.answer(req, res) || handle(req, res))
    return { provider, answer }
  }

  await keys.ensureKeys()
  await keys.resealKeys()
  const keyring = await keys.loadKeyring()
  const first = furnish(keyring)
  let { answer } = first
  await checkClients(first.provider, config)
  const { notifications } = database
  const { version } = keyring
  const watch = watchKeyring({ keys, version, everyMs: KEYS_EVERY, notifications, log, onChange: swap })

  const retention = repeat(createRetention({ database, policy, log }), log)
  const letters = deliverLetters({ ...mail, embedded: database.embedded, notifications, log })

  function swap(next: Keyring) {
    answer = furnish(next).answer
    log.info({ keys: next.signing.map((key) => key.kid) }, 'the keys changed')
  }

  return {
    handler: (req, res) => answer(req, res),
    drain: () => {
      draining = true
    },
    async close() {
      watch.stop()
      await Promise.all([failures.stop(), retention.stop(), letters.stop()])
      mail.close()
    },
  }
}

/** One hash a core, whoever does it, but never all of libuv's threads: signatures and name look-ups need one too. */
function hashingSlots(processes: number): number {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)
  return Math.max(1, Math.min(Math.floor(availableParallelism() / processes), threads - 2))
}

/** The engine judges a client when it is first used; a mistake is better told before anyone meets it. */
async function checkClients(provider: Provider, { clients }: Config): Promise<void> {
  const problems: string[] = []
  for (const { client_id } of clients) {
    try {
      await provider.Client.find(client_id)
    } catch (error) {
      const told = (error as { error_description?: string }).error_description ?? String(error)
      problems.push(`clients: ${client_id}: ${told}`)
    }
  }
  if (problems.length) throw new ConfigError(problems)
}

// The composition root: the entrances over the rooms, and what goes on behind them.
import type { RequestListener } from 'node:http'
import type { Provider } from 'oidc-provider'
import { accountRoutes } from './account/routes.ts'
import { type Config, ConfigError } from './config.ts'
import { pingDatabase } from './db/database.ts'
import { mailboxRoutes } from './dev/mailbox.routes.ts'
import { errorPages } from './http/error-pages.ts'
import { forwardedHeaders, pinHost } from './http/front-door.ts'
import { health } from './http/health.ts'
import { securityHeaders } from './http/security-headers.ts'
import { interactionRoutes } from './interaction/routes.ts'
import { deliverLetters } from './jobs/letters.ts'
import { createRecoveryNews } from './jobs/recoveries.ts'
import { repeat } from './jobs/repeat.ts'
import { createRetention } from './jobs/retention.ts'
import type { Keyring } from './keys/store.ts'
import { watchKeyring } from './keys/watch.ts'
import { SECOND } from './lib/clock.ts'
import { createEngineStorage } from './oidc/adapter.ts'
import { answerFailures, createAnswers } from './oidc/answers.ts'
import { ACCOUNT_CLIENT_ID } from './oidc/clients.ts'
import { listen } from './oidc/events.ts'
import { createProtocolLimits } from './oidc/limits.ts'
import { createProvider } from './oidc/provider.ts'
import { createPublished } from './oidc/published.ts'
import { inUnitOfWork } from './oidc/unit.ts'
import { type Dependencies, openRooms, type Rooms } from './rooms.ts'

export type App = {
  /** For `http.createServer`. Always the newest provider: keys change without a restart. */
  handler: RequestListener
  /** From here on `/readyz` sends people elsewhere. */
  drain(): void
  /** Resolved when nothing is under way any more; the database may go then. */
  close(): Promise<void>
}

/** How long a key made elsewhere may stay unknown when its notification is lost: security state is never older. */
const KEYS_EVERY = 2 * SECOND
const PING_MS = 2 * SECOND

/** @throws ConfigError for clients the engine does not accept; Error for a page that does not compile */
export async function createApp(deps: Dependencies): Promise<App> {
  const rooms = openRooms(deps)
  const { config, database, keys, log } = rooms
  let draining = false
  const furnish = createFurnisher(rooms, async () => !draining && (await pingDatabase(database, PING_MS)))

  await keys.ensureKeys()
  await keys.resealKeys()
  const keyring = await keys.loadKeyring()
  const first = furnish(keyring)
  let { answer } = first
  await checkClients(first.provider, config)
  const stopBackground = startBackground(rooms, { version: keyring.version, onChange: swap })

  function swap(next: Keyring) {
    answer = furnish(next).answer
    log.info({ keys: next.signing.map((key) => key.kid) }, 'the keys changed')
  }

  return {
    handler: (req, res) => answer(req, res),
    drain: () => {
      draining = true
    },
    close: stopBackground,
  }
}

/** Makes the provider, and the pages around it, for a set of keys. */
function createFurnisher(rooms: Rooms, isReady: () => Promise<boolean>) {
  const { config, artifacts, sealer, limits, scope, assets, mail, isUnavailable } = rooms
  const storage = createEngineStorage(artifacts, {
    secrets: sealer.deriveAll('refresh-successor'),
    refreshWindow: config.policy.lifetimes.refresh_window,
  })
  const protocolLimits = createProtocolLimits(limits, config.ISSUER)

  return (keyring: Keyring) => {
    const published = createPublished(config.ISSUER)
    const provider = createProvider({ ...rooms, keyring, adapter: storage.adapter })
    storage.attach(provider)
    protocolLimits.attach(provider)
    listen(provider, rooms)
    provider.silent = true
    provider.use(published.keep)
    provider.use(securityHeaders(config.ISSUER))
    provider.use(errorPages(rooms))
    provider.use(forwardedHeaders(config.ISSUER, config.TRUSTED_PROXIES))
    provider.use(health(isReady))
    provider.use(pinHost(config.ISSUER))
    provider.use(assets.middleware)
    provider.use(answerFailures(isUnavailable))
    provider.use(inUnitOfWork(scope))
    provider.use(createAnswers(rooms))
    provider.use(protocolLimits.middleware)
    const pages = [
      ...interactionRoutes({ ...rooms, provider, ownClientId: ACCOUNT_CLIENT_ID }),
      accountRoutes({ ...rooms, provider, ownClientId: ACCOUNT_CLIENT_ID }),
    ]
    if (mail.mailbox) pages.push(mailboxRoutes({ ...rooms, mailbox: mail.mailbox }))
    for (const router of pages) provider.use(router.routes())
    const handle = provider.callback()
    const answer: RequestListener = (req, res) => void (published.answer(req, res) || handle(req, res))
    return { provider, answer }
  }
}

/** What goes on without anyone asking; returns how to end it. */
function startBackground(rooms: Rooms, keyring: { version: string; onChange: (next: Keyring) => void }) {
  const { config, database, keys, log, mail, failures } = rooms
  const { notifications, embedded } = database
  const watch = watchKeyring({ ...keyring, keys, everyMs: KEYS_EVERY, notifications, log })
  const retention = repeat(createRetention({ database, policy: config.policy, log }), log)
  const news = repeat(createRecoveryNews(rooms), log)
  const letters = deliverLetters({ ...mail, embedded, notifications, log })
  return async () => {
    watch.stop()
    await Promise.all([failures.stop(), retention.stop(), news.stop(), letters.stop()])
    mail.close()
  }
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

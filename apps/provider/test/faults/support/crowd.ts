// Many relying parties at work on the servers of one issuer.
import { randomBytes } from 'node:crypto'
import type { ClientConfig } from '../../../src/config.ts'
import { TRUST_LOOPBACK } from '../../support/browser.ts'
import { freePort } from '../../support/port.ts'
import { NO_MAIL_SERVER, type Place, preparePlace, type Run } from '../../support/process.ts'
import { APP } from '../../support/server.ts'
import { seeded } from './extent.ts'
import { type Ledger, openLedger } from './ledger.ts'
import { createParty, type Habits, type Party } from './party.ts'
import { openWire } from './wire.ts'

const client = (id: string, more: Partial<ClientConfig>) =>
  ({
    client_id: id,
    redirect_uris: [`${APP}/callback/${id}`],
    scope: 'openid profile email offline_access',
    first_party: true,
    ...more,
  }) as ClientConfig

/** The refresh tokens of `spa` rotate at each use, those of `web` do not; `third` asks people for consent. */
export const CLIENTS = {
  spa: client('spa', { token_endpoint_auth_method: 'none' }),
  web: client('web', { client_secret: randomBytes(24).toString('hex') }),
  third: client('third', { token_endpoint_auth_method: 'none', first_party: false }),
}

export type Servers = {
  issuer: string
  ports: number[]
  runs: Run[]
  /** Again, where it was; resolved when it can serve. */
  start(index: number): Promise<void>
  remove(): void
}

/** So many processes as an operator would start them, on one database and under one name. */
export async function startServers(count: number, databaseUrl: string): Promise<Servers> {
  const place: Place = await preparePlace()
  place.configure(Object.values(CLIENTS))
  const env = {
    NODE_ENV: 'production',
    DATABASE_URL: databaseUrl,
    SECRET_KEY: randomBytes(32).toString('base64'),
    ...NO_MAIL_SERVER,
    ...TRUST_LOOPBACK,
  }
  const ports = await Promise.all(Array.from({ length: count }, freePort))
  const runs: Run[] = []
  const start = async (index: number) => {
    const run = place.start({ ...env, PORT: String(ports[index]) })
    runs[index] = run
    const failed = run.ended.then((code) => Promise.reject(new Error(`ended with ${code}: ${run.output()}`)))
    failed.catch(() => {})
    await Promise.race([place.ready(`http://localhost:${ports[index]}`), failed])
  }
  try {
    await Promise.all(ports.map((_, index) => start(index)))
  } catch (error) {
    place.remove()
    throw error
  }
  return { issuer: place.issuer, ports, runs, start, remove: () => place.remove() }
}

export type Crowd = {
  parties: Party[]
  ledger: Ledger
  begin(): void
  /** Each finishes what it is at. */
  end(): Promise<void>
  /** Lets go of all connections. */
  leave(): void
}

/** Half of them are browser apps, half have a server of their own. */
export async function gather(
  { issuer, ports }: Pick<Servers, 'issuer' | 'ports'>,
  size: number,
  habitsOf: (index: number) => Partial<Habits> = () => ({}),
): Promise<Crowd> {
  const ledger = openLedger()
  const host = new URL(issuer).host
  const wires = ports.map((port) => openWire(port, host))
  const parties: Party[] = []
  for (let index = 0; index < size; index++) {
    const client = index % 2 ? CLIENTS.web : CLIENTS.spa
    parties.push(
      await createParty({ issuer, wires, client, ledger, habits: habitsOf(index), random: seeded(index) }),
    )
  }
  const ending = new AbortController()
  let work: Promise<unknown> = Promise.resolve()
  return {
    parties,
    ledger,
    begin() {
      work = Promise.all(parties.map((party) => party.work(ending.signal)))
      work.catch(() => {})
    },
    async end() {
      ending.abort()
      await work
    },
    leave() {
      for (const wire of wires) wire.close()
    },
  }
}

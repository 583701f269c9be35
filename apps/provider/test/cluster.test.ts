// WEB_CONCURRENCY: several workers behind one port, as processes on real PostgreSQL.
import { once } from 'node:events'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createTestDatabase, realPostgresUrl, type TestDatabase } from './support/database.ts'
import { startLoad } from './support/load.ts'
import { NO_MAIL_SERVER, type Place, preparePlace, type Run } from './support/process.ts'
import { sendRaw } from './support/raw.ts'
import { CLIENTS } from './support/server.ts'

const PATIENTLY = { timeout: 50_000, interval: 50 }
/** Each on a connection of its own. */
const ALONE = { headers: { connection: 'close' } }
const hasServer = (await realPostgresUrl()) !== null

describe.skipIf(!hasServer)('two workers (the embedded database serves one process)', () => {
  let database: TestDatabase
  let place: Place
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(() => database?.drop())
  beforeEach(async () => {
    place = await preparePlace()
  })
  afterEach(() => place.remove())

  const startBoth = (env: Record<string, string> = {}) =>
    place.start({
      DATABASE_URL: database.url!,
      SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
      WEB_CONCURRENCY: '2',
      LOG_LEVEL: 'info',
      ...env,
    })

  async function start(env?: Record<string, string>) {
    const run = startBoth(env)
    const ended = run.ended.then((code) => Promise.reject(new Error(`ended with ${code}: ${run.output()}`)))
    /** Those that have served so far, as soon as there were so many. */
    const workers = (count: number) => {
      const served = vi.waitFor(() => {
        expect(workersIn(run).length, run.output()).toBeGreaterThanOrEqual(count)
        return workersIn(run)
      }, PATIENTLY)
      return Promise.race([served, ended])
    }
    const both = await workers(2)
    return { ...run, workers, both }
  }

  const workersIn = ({ output }: Pick<Run, 'output'>) =>
    [...output().matchAll(/"?worker"?: ?(\d+)[^}]*?"a worker serves"|a worker serves\s+worker: (\d+)/g)].map(
      ([, json, readable]) => Number(json ?? readable),
    )

  const gone = (pids: number[]) =>
    vi.waitFor(() => {
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    }, PATIENTLY)

  test('both answer, and one that hangs holds up nobody', async () => {
    const { both } = await start()
    for (const hanging of both) {
      process.kill(hanging, 'SIGSTOP')
      try {
        for (let visit = 0; visit < 10; visit++)
          expect((await sendRaw(place.issuer, { path: '/readyz', ...ALONE })).status).toBe(200)
      } finally {
        process.kill(hanging, 'SIGCONT')
      }
    }
  })

  test('one that is killed under load takes its own connections with it and nothing else, and is replaced', async () => {
    const { both, workers } = await start()
    const people = 8
    const load = startLoad([`${place.issuer}/readyz`, `${place.issuer}/jwks`], people)
    await vi.waitUntil(() => load.answered() > 50, PATIENTLY)
    process.kill(both[0]!, 'SIGKILL')
    const [, , successor] = await workers(3)
    const before = load.answered()
    await vi.waitUntil(() => load.answered() > before + 50, PATIENTLY)
    await load.stop()
    // Whoever was connected to it sees that once.
    expect(load.failures.length).toBeLessThanOrEqual(people)
    for (const failure of load.failures) expect(failure).toMatch(/: ECONNRESET$/)
    process.kill(both[1]!, 'SIGSTOP')
    expect((await sendRaw(place.issuer, { path: '/readyz', ...ALONE })).status).toBe(200)
    process.kill(both[1]!, 'SIGCONT')
    expect(both).not.toContain(successor)
  })

  test('on SIGTERM send people elsewhere, let the answers under way out, and leave nothing behind', async () => {
    const { child, ended, both } = await start({ NODE_ENV: 'production', ...NO_MAIL_SERVER })
    const underWay = await beginRequest()
    child.kill('SIGTERM')
    await vi.waitFor(async () => {
      for (let visit = 0; visit < 10; visit++)
        expect((await sendRaw(place.issuer, { path: '/readyz', ...ALONE })).status).toBe(503)
    }, PATIENTLY)
    await vi.waitFor(
      () => expect(sendRaw(place.issuer, { path: '/readyz', ...ALONE })).rejects.toThrow('ECONNREFUSED'),
      PATIENTLY,
    )
    expect(await underWay.complete()).toBe(200)
    expect(await ended).toBe(0)
    await gone(both)
  })

  test('on a second signal go at once', async () => {
    const { child, ended, both } = await start()
    await beginRequest()
    child.kill('SIGTERM')
    await vi.waitFor(
      () => expect(sendRaw(place.issuer, { path: '/readyz', ...ALONE })).rejects.toThrow('ECONNREFUSED'),
      PATIENTLY,
    )
    child.kill('SIGINT')
    expect(await ended).toBe(1)
    await gone(both)
  })

  test('do not outlive their primary', async () => {
    const { child, ended, both } = await start()
    child.kill('SIGKILL')
    await ended
    await gone(both)
  })

  test('are renewed on SIGUSR2 without losing a request, and read the configuration file anew', async () => {
    const { child, both, workers, output } = await start()
    const added = { ...CLIENTS.third, client_id: 'added-later' }
    place.configure([...Object.values(CLIENTS), added])
    expect(await knows(added)).toBe(false)

    const load = startLoad([`${place.issuer}/readyz`, `${place.issuer}/jwks`])
    await vi.waitUntil(() => load.answered() > 50, PATIENTLY)
    child.kill('SIGUSR2')
    const [, , ...successors] = await workers(4)
    await gone(both)
    const before = load.answered()
    await vi.waitUntil(() => load.answered() > before + 50, PATIENTLY)
    await load.stop()

    expect(load.failures).toEqual([])
    expect(new Set([...both, ...successors]).size).toBe(4)
    await vi.waitFor(() => expect(output()).toContain('all workers are new'), PATIENTLY)
    expect(await knows(added)).toBe(true)
  })

  test('stay when their successors would not start', async () => {
    const { child, both, output } = await start()
    place.configure([{ client_id: 'without a secret' }])
    child.kill('SIGUSR2')
    await vi.waitFor(() => expect(output()).toContain('the old workers stay'), PATIENTLY)
    expect(output()).toContain('needs a client_secret')
    for (const pid of both) process.kill(pid, 0)
    expect((await sendRaw(place.issuer, { path: '/readyz', ...ALONE })).status).toBe(200)
  })

  test('that cannot be replaced any more end it all, with what their successors ended with', async () => {
    const { ended, both, output } = await start()
    place.configure([{ client_id: 'without a secret' }])
    for (const pid of both) process.kill(pid, 'SIGKILL')
    expect(await ended).toBe(78)
    expect(output()).toMatch(/cannot go on: \d+ workers ended one after the other/)
  })

  test('that find their port taken say so once', async () => {
    const other = createServer().listen(place.port, 'localhost')
    await once(other, 'listening')
    const run = startBoth()
    expect(await run.ended).toBe(1)
    expect(run.output().match(/another program listens on localhost, port \d+/g)).toHaveLength(1)
    expect(run.output()).not.toContain('is running')
    other.close()
  })

  /** A request whose second half is still to come. */
  async function beginRequest() {
    const { client_id, client_secret } = CLIENTS.own
    const body = new URLSearchParams({ client_id, client_secret, token: 'unknown' }).toString()
    const sent = request(`${place.issuer}/token/introspection`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length },
    })
    const answer = once(sent, 'response')
    answer.catch(() => {})
    sent.on('error', () => {})
    await new Promise<void>((resolve) => sent.write(body.slice(0, 10), () => resolve()))
    return {
      async complete(): Promise<number> {
        sent.end(body.slice(10))
        const [response] = await answer
        response.resume()
        return response.statusCode
      },
    }
  }

  /** Of a client it does not know the server says so. */
  async function knows({ client_id, client_secret }: { client_id: string; client_secret?: string }) {
    const body = new URLSearchParams({ client_id, client_secret: client_secret!, token: 'unknown' })
    return (await fetch(`${place.issuer}/token/introspection`, { method: 'POST', body })).status === 200
  }
})

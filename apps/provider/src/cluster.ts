// Several workers behind one port: starts them, replaces the dead, renews them one by one, lets all go.
import cluster from 'node:cluster'
import { type Clock, SECOND } from './lib/clock.ts'
import type { Log } from './lib/log.ts'
import type { Serving } from './serve.ts'

/** What a worker is told: the instance goes, or this worker goes because another one is there in its place. */
type Order = 'stop' | 'hand over'

/** What is needed of a worker of `node:cluster`. */
export type Worker = {
  process: { pid?: number | undefined; kill(signal: NodeJS.Signals): boolean }
  send(order: Order, sent: () => void): boolean
  once(event: 'message', heard: (serving: { port: number }) => void): unknown
  once(event: 'exit', heard: (code: number | null, signal: NodeJS.Signals) => void): unknown
}

/** With what a process ended: its exit code, or the signal that killed it. */
type End = number | NodeJS.Signals
type Member = { worker: Worker; ended: Promise<End>; servesSince: Date | null; isLeaving: boolean }

export type Cluster = {
  port: number
  /** Lets all workers go at once. Rejects when one did not end as it should. */
  stop(): Promise<void>
  /** A new worker for each, one after the other; of the old ones each goes when its successor serves. */
  renew(): Promise<void>
  /** Rejects when workers die faster than they can be replaced. */
  gaveUp: Promise<never>
}

/** It makes no sense to go on. The worker has told why itself. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed'
  readonly exitCode: number
  constructor(message: string, end: End) {
    super(message)
    this.exitCode = typeof end === 'number' && end > 0 ? end : 1
  }
}

/** A worker that has served for so long did not die of starting. */
const STEADY = 2 * SECOND
/** Pauses between tries; each is twice the one before. */
const PAUSE = { first: SECOND / 10, most: 10 * SECOND }
/** So many failures in a row, and nobody who serves: it is not going to work. */
const MOST_FAILURES = 5
/** Longer than a worker takes at most to go by itself. */
const STOP_WITHIN = 34 * SECOND

type Options = {
  size: number
  fork: () => Worker
  log: Log
  now: Clock
  wait: (ms: number) => Promise<unknown>
}

/**
 * The first worker goes ahead: what is wrong with the settings, the keys or the port is told once and ends it all.
 *
 * @throws WorkerFailed
 */
export async function startCluster({ size, fork, log, now, wait }: Options): Promise<Cluster> {
  const members = new Set<Member>()
  const { promise: gaveUp, reject: giveUp } = Promise.withResolvers<never>()
  let isStopping = false
  let failures = 0
  let renewal = Promise.resolve()

  const isSteady = ({ servesSince }: Member) =>
    servesSince !== null && now().getTime() - servesSince.getTime() >= STEADY

  /** Resolves with the port when the new worker serves. */
  async function launch(): Promise<number> {
    const worker = fork()
    const member: Member = { worker, ended: endOf(worker), servesSince: null, isLeaving: false }
    members.add(member)
    const failed = member.ended.then((end) => {
      members.delete(member)
      if (member.servesSince) onEnd(member, end)
      throw new WorkerFailed(`a worker ended (${end}) before it could serve`, end)
    })
    const port = await Promise.race([portOf(worker), failed])
    member.servesSince = now()
    log.info({ worker: worker.process.pid }, 'a worker serves')
    return port
  }

  function onEnd(member: Member, end: End): void {
    if (isStopping || member.isLeaving) return
    log.error({ worker: member.worker.process.pid, end }, 'a worker ended; another one takes its place')
    failures = isSteady(member) ? 0 : failures + 1
    void replace(end)
  }

  /** Tries until one serves, or until it makes no sense any more; `end` is why it is needed. */
  async function replace(end: End): Promise<void> {
    await wait(pauseAfter(failures))
    if (isStopping) return
    if (failures >= MOST_FAILURES && ![...members].some(isSteady))
      return giveUp(new WorkerFailed(`${failures} workers ended one after the other, the last: ${end}`, end))
    try {
      await launch()
    } catch (error) {
      log.error({ reason: (error as WorkerFailed).message }, 'a worker could not be replaced yet')
      failures++
      await replace((error as WorkerFailed).exitCode)
    }
  }

  /** The old worker is not missed when it ends early: its successor is on the way. */
  async function renewOne(old: Member): Promise<void> {
    old.isLeaving = true
    try {
      await launch()
    } catch (error) {
      old.isLeaving = false
      if (!members.has(old)) void replace((error as WorkerFailed).exitCode)
      throw error
    }
    await dismiss([old], 'hand over')
  }

  async function renewAll(): Promise<void> {
    for (const member of [...members]) {
      if (isStopping) return
      // What ended meanwhile, or only starts now, is new already or will be.
      if (members.has(member) && member.servesSince) await renewOne(member)
    }
    log.info('all workers are new')
  }

  /** Who does not go in time is killed. */
  async function dismiss(leaving: Member[], order: Order): Promise<End[]> {
    // A worker that cannot be told is gone or about to be; its end is seen.
    for (const { worker } of leaving) worker.send(order, () => {})
    const patience = setTimeout(() => {
      for (const { worker } of leaving) worker.process.kill('SIGKILL')
    }, STOP_WITHIN)
    const ends = await Promise.all(leaving.map(({ ended }) => ended))
    clearTimeout(patience)
    return ends
  }

  async function stop(): Promise<void> {
    isStopping = true
    const ends = await dismiss([...members], 'stop')
    if (ends.some((end) => end !== 0)) throw new Error(`workers ended with ${ends.join(', ')}`)
  }

  const port = await launch()
  await Promise.all(Array.from({ length: size - 1 }, launch))
  return {
    port,
    gaveUp,
    stop,
    renew() {
      renewal = renewal
        .then(renewAll)
        .catch(({ message }: Error) => log.error({ reason: message }, 'the old workers stay'))
      return renewal
    },
  }
}

/**
 * Forks this program. The workers accept from one socket that the kernel shares out: a worker that is dead or busy
 * holds up nobody, as it would if the primary handed it connections. None of them outlives this process; of its being
 * killed they learn from the broken channel.
 */
export function prepareFork(): () => Worker {
  cluster.schedulingPolicy = cluster.SCHED_NONE
  process.once('exit', () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL')
  })
  return () => cluster.fork()
}

/** In a worker: says that it serves, and goes as the primary tells it. */
export function obeyPrimary(
  { port, stop, handOver }: Serving,
  leave: (how: () => Promise<void>) => void,
): void {
  process.on('message', (order: Order) => {
    if (order === 'stop') leave(stop)
    if (order === 'hand over') leave(handOver)
  })
  process.send?.({ port })
}

const pauseAfter = (failures: number) =>
  failures === 0 ? 0 : Math.min(PAUSE.first * 2 ** (failures - 1), PAUSE.most)

const endOf = (worker: Worker) =>
  new Promise<End>((resolve) => worker.once('exit', (code, signal) => resolve(code ?? signal)))

const portOf = (worker: Worker) =>
  new Promise<number>((resolve) => worker.once('message', ({ port }) => resolve(port)))

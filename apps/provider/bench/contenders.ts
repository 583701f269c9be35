// The processes that are compared: starting them, asking them, ending them.
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { TestDatabase } from '../test/support/database.ts'
import { freePort } from '../test/support/port.ts'
import { pinned, SERVER_CORE } from './cpu.ts'
import { createPerson, type Person } from './people.ts'
import type { Answers, Reply } from './questions.ts'

export type Contender = {
  name: 'bare' | 'anteroom'
  issuer: string
  port: number
  pid: number
  /** As many as ask at once at most, each with a live session. */
  people: Person[]
  ask<Ask extends keyof Answers>(ask: Ask): ReturnType<Answers[Ask]>
  stop(): Promise<void>
}

/** `log` is a file's descriptor: what the contenders say goes there, so that the report stays readable. */
type Start = { database: TestDatabase; people: number; profileDir: string | undefined; log: number }

const READY_WITHIN = 30_000

/** @throws when it does not come up */
export async function startContender(name: Contender['name'], start: Start): Promise<Contender> {
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const child = launch(name, port, start)
  await untilReady(child, `${issuer}/.well-known/openid-configuration`)
  const contender = {
    name,
    issuer,
    port,
    pid: child.pid!,
    people: [],
    ask: asker(child),
    stop: () => stop(child),
  }
  try {
    return { ...contender, people: await createPeople(issuer, start.people) }
  } catch (error) {
    await contender.stop()
    throw error
  }
}

/** One after the other: each costs a password hash, and a busy server turns a crowd away. */
export async function createPeople(issuer: string, count: number): Promise<Person[]> {
  const people: Person[] = []
  while (people.length < count) people.push(await createPerson(issuer))
  return people
}

function launch(name: Contender['name'], port: number, { database, profileDir, log }: Start): ChildProcess {
  const profile = profileDir && name === 'anteroom' ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : []
  const program = path.join(import.meta.dirname, `${name}.ts`)
  const [command = '', ...args] = pinned(SERVER_CORE, [process.execPath, '--expose-gc', ...profile, program])
  return spawn(command, args, {
    // Ctrl-C is for the load alone, which lets the contenders go.
    detached: true,
    env: {
      ...process.env,
      NODE_ENV: 'production',
      PORT: String(port),
      DATA_DIR: database.dataDir,
      DATABASE_URL: database.url ?? '',
    },
    stdio: ['ignore', log, 'inherit', 'ipc'],
  })
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  for (const until = Date.now() + READY_WITHIN; Date.now() < until; await setTimeout(50)) {
    if (child.exitCode !== null) throw new Error(`a contender ended with ${child.exitCode}`)
    const answered = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    )
    if (answered) return
  }
  child.kill('SIGKILL')
  throw new Error(`${url} did not answer within ${READY_WITHIN} ms`)
}

function asker(child: ChildProcess): Contender['ask'] {
  let asked = 0
  const waiting = new Map<number, (reply: Reply | null) => void>()
  child.on('message', (reply: Reply) => waiting.get(reply.id)?.(reply))
  child.once('exit', () => {
    for (const tell of waiting.values()) tell(null)
  })
  return (ask) => {
    const id = ++asked
    const reply = new Promise((resolve, reject) => {
      waiting.set(id, (reply) => {
        waiting.delete(id)
        if (reply && !reply.error) resolve(reply.answer)
        else reject(new Error(`${ask}: ${reply?.error ?? 'the contender is gone'}`))
      })
      child.send({ id, ask })
    })
    return reply as ReturnType<Answers[typeof ask]>
  }
}

/** It ends by itself when nobody listens any more, and writes its profile then. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.disconnect()
  await ended
}

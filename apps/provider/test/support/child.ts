import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A TypeScript program of the tests in a process of its own, spoken to in lines. */
export type Child = {
  pid: number
  /** All it has said so far. */
  lines: string[]
  /** The first line that says this, whether it was said already or is still to come; fails when the process ends first. */
  said(word: string | RegExp): Promise<string>
  say(line: string): void
  kill(signal: NodeJS.Signals): Promise<void>
  /** Exit code; null when it was killed. */
  ended: Promise<number | null>
}

export function startChild(program: URL, args: string[]): Child {
  const child = spawn(process.execPath, [program.pathname, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  if (!child.pid) throw new Error(`${program.pathname} did not start`)
  const lines: string[] = []
  const listeners = new Set<() => void>()
  const hear = (line: string) => {
    lines.push(line)
    for (const listener of [...listeners]) listener()
  }
  createInterface(child.stdout).on('line', hear)
  createInterface(child.stderr).on('line', (line) => hear(`stderr: ${line}`))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))

  return {
    pid: child.pid,
    lines,
    ended,
    said(word) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const line = lines.find((candidate) => candidate.match(word))
          if (line === undefined) return
          listeners.delete(look)
          resolve(line)
        }
        listeners.add(look)
        look()
        void ended.then(() => reject(new Error(`ended without saying ${word}:\n${lines.join('\n')}`)))
      })
    },
    say: (line) => child.stdin.write(`${line}\n`),
    async kill(signal) {
      child.kill(signal)
      await ended
    },
  }
}

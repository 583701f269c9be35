import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Child, startChild } from '../../test/support/child.ts'
import { DataFolderInUse, lockDataFolder } from './data-lock.ts'

const program = new URL('./test-programs/lock-folder.ts', import.meta.url)

let folder: string
const children: Child[] = []

const startHolder = (...args: string[]) => {
  const child = startChild(program, [folder, ...args])
  children.push(child)
  return child
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anteroom-lock-'))
})

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill('SIGKILL')))
  rmSync(folder, { recursive: true })
})

test('a second process is told which folder is taken, by which process, and what to do', async () => {
  const holder = startHolder()
  await holder.said('waiting')
  holder.say('go')
  await holder.said('locked')
  expect(() => lockDataFolder(folder)).toThrow(DataFolderInUse)
  expect(() => lockDataFolder(folder)).toThrow(
    `${folder} is in use by process ${holder.pid}. Stop it first, or give this one another DATA_DIR or a DATABASE_URL.`,
  )
})

test('the same process cannot take the folder twice, but again after releasing it', () => {
  const lock = lockDataFolder(folder)
  expect(() => lockDataFolder(folder)).toThrow(`process ${process.pid}`)
  lock.release()
  lockDataFolder(folder).release()
})

test('what a killed process held is free at once', async () => {
  const holder = startHolder()
  await holder.said('waiting')
  holder.say('go')
  await holder.said('locked')
  await holder.kill('SIGKILL')
  lockDataFolder(folder).release()
})

test('of several processes racing for what a killed one held, exactly one gets it', async () => {
  const killed = startHolder()
  await killed.said('waiting')
  killed.say('go')
  await killed.said('locked')
  await killed.kill('SIGKILL')

  const racers = [startHolder(), startHolder(), startHolder()]
  await Promise.all(racers.map((racer) => racer.said('waiting')))
  for (const racer of racers) racer.say('go')
  const results = await Promise.all(racers.map((racer) => racer.said(/locked|refused/)))
  expect(results.filter((line) => line === 'locked')).toHaveLength(1)
  expect(results.filter((line) => line.startsWith('refused: DataFolderInUse'))).toHaveLength(2)
})
